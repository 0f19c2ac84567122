"""Rendered templates, as `render` leaves them: `templates/<env>/<stack>.yaml` or `.json`, with files beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import BlueprintError, Fault

_SUFFIXES = (".yaml", ".json")


def templates(stacks: Sequence[Path], out: Path) -> dict[Path, list[Path]]:
    """The templates of stack files below `out`, YAML before JSON. Raises BlueprintError for all that have none."""
    stems = {stack: out / stack.parent.name / stack.stem for stack in stacks}
    found = {
        stack: [path for each in _SUFFIXES if (path := stem.with_suffix(each)).exists()]
        for stack, stem in stems.items()
    }
    missing = [str(stems[stack].with_suffix(_SUFFIXES[0])) for stack, paths in found.items() if not paths]
    if missing:
        raise BlueprintError(Fault(path, "", "not rendered yet; run make render") for path in missing)
    return found


def parameters(template: Path) -> Path:
    """The file of a rendered template's parameters, which is there when the template has any."""
    return template.with_suffix(".parameters.json")
