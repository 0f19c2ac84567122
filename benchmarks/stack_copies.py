"""As many stacks as are asked for: the examples, then copies of them under other names.

A copy is a subclass with a description of its own. Byte for byte equal templates would be validated once and
then come from the cache, which no other tool here does.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .places import COPIES, ENVIRONMENT, EXAMPLES, STACKS

_BLUEPRINT = re.compile(r"^blueprint:\s*(?P<module>[\w.]+):(?P<name>\w+).*$", re.MULTILINE)


def prepare(count: int) -> list[str]:
    """Write the stack files and the module of the copies' classes; the names of the stacks."""
    examples = sorted(path for path in EXAMPLES.glob("*.yaml") if path.name != "environment.yaml")
    if not examples:
        raise SystemExit(f"no stack files in {EXAMPLES}")
    folder = STACKS / ENVIRONMENT
    shutil.rmtree(STACKS, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLES / "environment.yaml", folder)
    classes = [
        _write(examples[index % len(examples)], index // len(examples) + 1, folder) for index in range(count)
    ]
    COPIES.write_text(
        "\n\n".join(["# Written by benchmarks/stack_copies.py.", *filter(None, classes)]) + "\n"
    )
    return sorted(path.stem for path in folder.glob("*.yaml") if path.name != "environment.yaml")


def _write(example: Path, number: int, folder: Path) -> str:
    """One stack file; the source of its class, empty for the example itself."""
    text = example.read_text()
    found = _BLUEPRINT.search(text)
    if found is None:
        raise SystemExit(f"{example}: no `blueprint: package.module:Class`")
    if number == 1:
        (folder / example.name).write_text(text)
        return ""
    name = f"{found['name']}{number}"
    text = f"{text[: found.start()]}blueprint: copies:{name}{text[found.end() :]}"
    (folder / f"{example.stem}-{number}.yaml").write_text(text)
    base = f"import {found['module']}\n\n\nclass {name}({found['module']}.{found['name']}):\n"
    return f'{base}    """Copy {number} of {example.stem}."""\n'
