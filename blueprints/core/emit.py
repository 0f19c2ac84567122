"""Templates as text: YAML a person reads, or JSON. Equal data gives equal bytes.

libyaml's emitter is required, not preferred: PyYAML's own writes other bytes, and is a tenth as fast.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Literal, cast

import yaml

from .errors import BuildError

Format = Literal["yaml", "json"]

_RESOLVERS: dict[str | None, list[tuple[str, re.Pattern[str]]]] = yaml.CSafeDumper.yaml_implicit_resolvers
# In a block scalar libyaml cannot keep these and falls back to one long quoted line, which nobody can review.
_NOT_IN_BLOCK = re.compile(
    r"\t|[ ]$|\r|[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]", re.MULTILINE
)
# Plain for PyYAML (YAML 1.1), yet a number or a truth value for some reader of YAML 1.1 or 1.2.
_AMBIGUOUS = re.compile(
    r"[-+]?(0o?[0-9]+|[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.?[0-9.]+([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+)"
    r"|[yYnN]|[-+]?\.?([iI]nf(inity)?|INF)|\.?(nan|NaN|NAN)|~"
)


_Emit = Callable[[yaml.Event], None]

# The emitter only reads events, so that equal ones may be the same one: half of them are, in a template.
_START_MAPPING = yaml.MappingStartEvent(None, None, True, flow_style=False)
_END_MAPPING = yaml.MappingEndEvent()
_START_SEQUENCE = yaml.SequenceStartEvent(None, None, True, flow_style=False)
_END_SEQUENCE = yaml.SequenceEndEvent()


@lru_cache(maxsize=4096)
def _scalar(text: str) -> yaml.ScalarEvent:
    if "\n" in text:
        return yaml.ScalarEvent(None, None, (False, True), text, style=_block(text))
    plain, style = _appearance(text)
    return yaml.ScalarEvent(None, None, (plain, True), text, style=style)


@lru_cache(maxsize=4096)
def _tagged(tag: str, text: str) -> yaml.ScalarEvent:
    style = _block(text) if "\n" in text else None if text else "'"
    return yaml.ScalarEvent(None, tag, (False, False), text, style=style)


def _appearance(text: str) -> tuple[bool, str | None]:
    """Whether a reader takes the bare text for text, and the quotes it needs if some reader might not."""
    if _AMBIGUOUS.fullmatch(text):
        return False, "'"
    rules = _RESOLVERS.get(text[:1], []) + _RESOLVERS.get(None, [])
    return not any(pattern.match(text) for _, pattern in rules), None


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


def _value(emit: _Emit, value: Any) -> None:
    if isinstance(value, str):
        emit(_scalar(value))
    elif isinstance(value, dict):
        _mapping(emit, cast("dict[str, Any]", value))
    elif isinstance(value, list):
        _sequence(emit, cast("list[Any]", value), None)
    else:
        emit(yaml.ScalarEvent(None, None, (True, False), _number(value)))


def _number(value: object) -> str:
    if type(value) is int:
        return str(value)
    text = json.dumps(value)
    # Without a dot it is text to a reader of YAML 1.1.
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _mapping(emit: _Emit, mapping: Mapping[str, Any]) -> None:
    if len(mapping) == 1:
        ((key, value),) = mapping.items()
        if (key in ("Ref", "Condition") or key.startswith("Fn::")) and _short(emit, key, value):
            return
    _entries(emit, mapping, None)


def _entries(emit: _Emit, mapping: Mapping[str, Any], tag: str | None) -> None:
    emit(yaml.MappingStartEvent(None, tag, False, flow_style=False) if tag else _START_MAPPING)
    for key, value in mapping.items():
        emit(_scalar(key))
        _value(emit, value)
    emit(_END_MAPPING)


def _sequence(emit: _Emit, items: Sequence[Any], tag: str | None) -> None:
    emit(yaml.SequenceStartEvent(None, tag, False, flow_style=False) if tag else _START_SEQUENCE)
    for each in items:
        _value(emit, each)
    emit(_END_SEQUENCE)


def _short(emit: _Emit, key: str, value: Any) -> bool:
    """Write the short form of an intrinsic function; False where YAML has none."""
    tag = f"!{key.removeprefix('Fn::')}"
    if key == "Fn::GetAtt" and isinstance(value, list):
        parts = cast("list[Any]", value)
        value = ".".join(parts) if all(isinstance(part, str) for part in parts) else parts
    if isinstance(value, str):
        emit(_tagged(tag, value))
    elif not key.startswith("Fn::"):
        return False
    elif isinstance(value, list):
        _sequence(emit, cast("list[Any]", value), tag)
    # A tag cannot follow a tag: `Fn::Base64: !Join`, in the long form outside.
    elif isinstance(value, dict) and not _is_intrinsic(cast("dict[str, Any]", value)):
        _entries(emit, cast("dict[str, Any]", value), tag)
    else:
        return False
    return True


def _is_intrinsic(value: Mapping[str, object]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


def to_yaml(template: Mapping[str, Any]) -> str:
    """YAML with short intrinsic tags, block scalars for scripts and the order of `template`."""
    text = io.StringIO()
    # Events and not nodes: PyYAML's representer and resolver, in Python, cost four times what libyaml does.
    dumper: Any = yaml.CSafeDumper(text, width=1 << 30, allow_unicode=True)
    emit: _Emit = dumper.emit
    emit(yaml.StreamStartEvent())
    emit(yaml.DocumentStartEvent(explicit=False))
    _value(emit, template)
    emit(yaml.DocumentEndEvent(explicit=False))
    emit(yaml.StreamEndEvent())
    return text.getvalue()


def to_json(value: object) -> str:
    """JSON, indented by two, keys in their order, a newline at the end."""
    return _json(value, "\n") + "\n"


def _json(value: Any, margin: str) -> str:
    """What `json.dumps(value, indent=2, ensure_ascii=False)` gives, which leaves C as soon as it indents."""
    inner = margin + "  "
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict) and value:
        items = cast("dict[str, Any]", value).items()
        return (
            "{"
            + ",".join([f"{inner}{encode_basestring(key)}: {_json(each, inner)}" for key, each in items])
            + margin
            + "}"
        )
    if isinstance(value, list) and value:
        return (
            "[" + ",".join([inner + _json(each, inner) for each in cast("list[Any]", value)]) + margin + "]"
        )
    return json.dumps(value)


def to_text(template: Mapping[str, Any], format: Format) -> str:  # noqa: A002 - the word of the command line
    """The template in the format asked for."""
    return to_yaml(template) if format == "yaml" else to_json(template)
