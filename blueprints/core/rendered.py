"""Rendered templates, as `render` leaves them: `templates/<env>/<stack>.yaml` or `.json`, with files beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import BlueprintError, Fault

_SUFFIXES = (".yaml", ".json")


def templates(stacks: Sequence[Path], out: Path) -> dict[Path, list[Path]]:
    """The templates of stack files below `out`, YAML before JSON. Raises BlueprintError for all that have none."""
    expected = {
        stack: [out / stack.parent.name / f"{stack.stem}{each}" for each in _SUFFIXES] for stack in stacks
    }
    found = {stack: [path for path in paths if path.exists()] for stack, paths in expected.items()}
    missing = [expected[stack][0] for stack, paths in found.items() if not paths]
    if missing:
        raise BlueprintError(Fault(str(path), "", "not rendered yet; run make render") for path in missing)
    return found


def parameters(template: Path) -> Path:
    """The file of a rendered template's parameters, which is there when the template has any."""
    return template.with_suffix(".parameters.json")
