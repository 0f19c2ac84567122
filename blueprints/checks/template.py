"""Templates as plain data, whichever of the two notations they are written in."""

from __future__ import annotations

import json
from typing import Any, cast

import yaml

# CloudFormation User Guide, "Quotas": a body in S3, and resources. The validator's time grows with the square of the
# resources (20,000 take minutes), so what no stack may hold never reaches it.
MOST_BYTES = 1_000_000
MOST_RESOURCES = 500

_Node = yaml.MappingNode | yaml.SequenceNode | yaml.ScalarNode


class TemplateError(ValueError):
    """Text that is no template: neither JSON nor YAML, or no mapping at its top."""


class _Loader(yaml.CSafeLoader):
    """YAML as CloudFormation reads it: short tags are functions, and dates are text."""


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
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            pass  # a YAML flow mapping also starts with a brace
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader
