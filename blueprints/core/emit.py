"""Templates as text: YAML a person reads, or JSON. Equal data gives equal bytes.

libyaml's emitter is required, not preferred: PyYAML's own writes other bytes, and is a tenth as fast.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

import yaml

from .errors import BuildError

Format = Literal["yaml", "json"]

_STRING = "tag:yaml.org,2002:str"
# In a block scalar libyaml cannot keep these and falls back to one long quoted line, which nobody can review.
_NOT_IN_BLOCK = re.compile(r"\t|[ ]$|\r|[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]", re.MULTILINE)
# Plain for PyYAML (YAML 1.1), yet a number or a truth value for some reader of YAML 1.1 or 1.2.
_AMBIGUOUS = re.compile(
    r"[-+]?(0o?[0-9]+|[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.?[0-9.]+([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+)"
    r"|[yYnN]|[-+]?\.?([iI]nf(inity)?|INF)|\.?(nan|NaN|NAN)|~"
)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True  # an anchor in a template would only puzzle its reader

    def scalar(self, tag: str, text: str, style: str | None) -> yaml.ScalarNode:
        return cast(Any, self).represent_scalar(tag, text, style=style)


def _represent_string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.scalar(_STRING, text, _block(text))
    return dumper.scalar(_STRING, text, "'" if _AMBIGUOUS.fullmatch(text) else None)


def _block(text: str) -> str:
    """The style of text of several lines. Raises BuildError where libyaml would make one unreadable line of it."""
    if not text.strip("\n"):
        return '"'
    found = _NOT_IN_BLOCK.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise BuildError(
            f"line {line} of the text that begins {text[:30]!r} holds {found.group()!r}; a script in a template"
            " has no tabs, no spaces at the end of a line and no control characters"
        )
    return "|"


def _represent_mapping(dumper: _Dumper, mapping: Mapping[str, Any]) -> yaml.Node:
    if len(mapping) == 1:
        ((key, value),) = mapping.items()
        node = _intrinsic(dumper, key, value)
        if node is not None:
            return node
    return dumper.represent_mapping("tag:yaml.org,2002:map", list(mapping.items()))


def _intrinsic(dumper: _Dumper, key: str, value: object) -> yaml.Node | None:
    """The short form of an intrinsic function, or None where YAML has none."""
    if key in ("Ref", "Condition"):
        return dumper.scalar(f"!{key}", value, None) if isinstance(value, str) else None
    if not key.startswith("Fn::"):
        return None
    tag = f"!{key[4:]}"
    if key == "Fn::GetAtt" and isinstance(value, list):
        parts = cast("list[object]", value)
        if all(isinstance(part, str) for part in parts):
            return dumper.scalar(tag, ".".join(cast("list[str]", parts)), None)
    if isinstance(value, str):
        return dumper.scalar(tag, value, _block(value) if "\n" in value else _quote(value))
    if isinstance(value, list):
        return dumper.represent_sequence(tag, cast("list[object]", value))
    # A tag cannot follow a tag: `Fn::Base64: !Join`, in the long form outside.
    if isinstance(value, dict) and not _is_intrinsic(cast("dict[str, object]", value)):
        return dumper.represent_mapping(tag, list(cast("dict[str, object]", value).items()))
    return None


def _quote(value: str) -> str | None:
    return None if value else "'"


def _is_intrinsic(value: Mapping[str, object]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


_Dumper.add_representer(str, _represent_string)
_Dumper.add_representer(dict, _represent_mapping)


def to_yaml(template: Mapping[str, Any]) -> str:
    """YAML with short intrinsic tags, block scalars for scripts and the order of `template`."""
    return yaml.dump(template, Dumper=_Dumper, sort_keys=False, width=1 << 30, allow_unicode=True)


def to_json(value: object) -> str:
    """JSON, indented by two, keys in their order, a newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def to_text(template: Mapping[str, Any], format: Format) -> str:  # noqa: A002 - the word of the command line
    """The template in the format asked for."""
    return to_yaml(template) if format == "yaml" else to_json(template)
