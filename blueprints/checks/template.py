"""Templates as plain data, whichever of the two notations they are written in."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any, cast

import yaml

# CloudFormation User Guide, "Quotas": a body in S3, and resources. The validator's time grows with the square of the
# resources (20,000 take minutes), so what no stack may hold never reaches it.
MOST_BYTES = 1_000_000
MOST_RESOURCES = 500

# The validator puts each condition's text in place of its name; twenty that each name the one before twice are a
# million. People write a handful.
MOST_UNFOLDED = 100_000

_MERGE = "tag:yaml.org,2002:merge"
_Node = yaml.MappingNode | yaml.SequenceNode | yaml.ScalarNode


class TemplateError(ValueError):
    """Text that is no template: neither JSON nor YAML, no mapping at its top, or with a key twice in one mapping."""


class _Loader(yaml.CSafeLoader):
    """YAML as CloudFormation reads it: short tags are functions, and dates are text."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[tuple[int, str]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; keys that it has twice are noted, since all but the last would be lost without a word."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    self.repeated.append((key.start_mark.line + 1, key.value))
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# An unquoted 2010-09-09 must stay text: the value is compared as text, and a date is not JSON.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _short_tag(loader: _Loader, tag: str, node: _Node) -> dict[str, Any]:
    """`!Sub x` means `{"Fn::Sub": x}`; only Ref and Condition carry no prefix."""
    value = _value(loader, node)
    if tag == "GetAtt" and isinstance(value, str):
        # The logical id ends at the first dot; an attribute may have more of them.
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


def _value(loader: _Loader, node: _Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _short_tag)  # pyright: ignore[reportUnknownMemberType]


def load(text: str) -> dict[str, Any]:
    """Read a template. Raises TemplateError, whose text is one line, on anything that is not a mapping."""
    try:
        template = _parse(text.removeprefix("\ufeff"))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise TemplateError(" ".join(str(error).split()) or type(error).__name__) from error
    if not isinstance(template, dict):
        raise TemplateError(f"a template is a mapping, got {type(template).__name__}")
    return cast("dict[str, Any]", template)


def _parse(text: str) -> Any:
    repeated: list[str] = []
    if text.lstrip().startswith("{"):
        try:
            return _told(json.loads(text, object_pairs_hook=partial(_object, repeated)), repeated)
        except json.JSONDecodeError:
            repeated = []  # a YAML flow mapping also starts with a brace
    loader = _Loader(text)
    try:
        template = loader.get_single_data()
        return _told(template, [f"{key} in line {line}" for line, key in sorted(loader.repeated)])
    finally:
        loader.dispose()


def _object(repeated: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated += [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    return found


def _told(template: Any, repeated: list[str]) -> Any:
    if repeated:
        raise TemplateError(
            f"keys that stand twice in one mapping, of which one is lost: {', '.join(repeated)}"
        )
    return template


def unfolded(template: dict[str, Any]) -> int:
    """Parts of a template's conditions with every name replaced by what it stands for, the largest condition's."""
    conditions = template.get("Conditions")
    sizes: dict[str, int] = {}
    if isinstance(conditions, dict):
        # From the end of each chain, since a chain may be longer than Python's stack.
        for name in _innermost_first(cast("dict[str, Any]", conditions)):
            named = _named(cast("dict[str, Any]", conditions)[name])
            sizes[name] = 1 + sum(sizes.get(each, 1) for each in named)
    return max(sizes.values(), default=0)


def _innermost_first(conditions: dict[str, Any]) -> list[str]:
    """Names in an order in which each stands after those that it names; a circle ends where it closes."""
    done: dict[str, None] = {}
    waiting = [(name, False) for name in conditions]
    entered: set[str] = set()
    while waiting:
        name, known = waiting.pop()
        if known:
            done[name] = None
        elif name not in entered:
            entered.add(name)
            waiting.append((name, True))
            waiting += [(each, False) for each in _named(conditions[name]) if each in conditions]
    return list(done)


def _named(condition: Any) -> list[str]:
    """The conditions that one names, as often as it names them."""
    found: list[str] = []
    waiting: list[Any] = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            entries = cast("dict[str, Any]", node)
            name = entries.get("Condition")
            found += [name] if isinstance(name, str) else []
            waiting += entries.values()
        elif isinstance(node, list):
            waiting += cast("list[Any]", node)
    return found
