"""A template with other values in some places and not a byte changed elsewhere, comments included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from ..checks.template import TemplateError, load
from .places import Path


def rewrite(text: str, edits: Sequence[tuple[Path, Any]], template: dict[str, Any]) -> str:
    """The text after `edits`, each a path and its value. `template` is what has to be read from it.

    Where values cannot be put into the text, as where an alias stands for two places, the whole is written as JSON,
    which is YAML too.
    """
    try:
        made = _spliced(text, edits)
        if load(made) == template:
            return made
    except (yaml.YAMLError, TemplateError, LookupError):
        pass
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def _spliced(text: str, edits: Sequence[tuple[Path, Any]]) -> str:
    """Values written as JSON, which is one line of YAML. Raises LookupError for a path that the text does not have."""
    text = text.removeprefix("\ufeff")
    root: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    changes = {_change(text, root, path, json.dumps(value, ensure_ascii=False)) for path, value in edits}
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _change(text: str, root: Any, path: Path, value: str) -> tuple[int, int, str]:
    """Start and end, in characters, of what is replaced, and the text that takes its place."""
    holder = _node(root, path[:-1])
    for name, node in holder.value:
        if name.value == path[-1]:
            start, end = node.start_mark.index, node.end_mark.index
            # A block scalar ends behind its last line break.
            return start, end, value + text[len(text[:end].rstrip()) : end]
    first = holder.value[0][0].start_mark
    flow, block = f"{json.dumps(path[-1])}: {value}, ", f"{path[-1]}: {value}\n{' ' * first.column}"
    return first.index, first.index, flow if holder.flow_style else block


def _node(node: Any, path: Path) -> Any:
    for step in path:
        if node.tag == f"!{str(step).removeprefix('Fn::')}":
            continue  # the short form of a function is a tag of its argument
        if isinstance(node, yaml.SequenceNode):
            node = node.value[step]
        else:
            found = [value for name, value in node.value if name.value == str(step)]
            if not found:
                raise LookupError(step)
            node = found[-1]
    if not isinstance(node, yaml.MappingNode):
        raise LookupError(path)
    return node
