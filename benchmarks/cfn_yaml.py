"""CloudFormation YAML to plain data: short tags become the long form, so that templates can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, cast

import yaml

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Template: TypeAlias = "dict[str, Json]"

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """CloudFormation has no dates: `2012-10-17` is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _short_tag(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Json]:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        value: Json = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = cast("list[Json]", loader.construct_sequence(node, deep=True))
    else:
        value = cast("dict[str, Json]", loader.construct_mapping(cast(yaml.MappingNode, node), deep=True))
    return {key: attribute_pair(value) if key == "Fn::GetAtt" else value}


_Loader.add_multi_constructor("!", _short_tag)  # pyright: ignore[reportUnknownMemberType]


def attribute_pair(value: Json) -> Json:
    """The two spellings of Fn::GetAtt, `Resource.Attribute` and a list of two, as the list."""
    return [*value.split(".", 1)] if isinstance(value, str) else value


def load(text: str) -> Template:
    """One template as a dict."""
    loader = _Loader(text)
    try:
        return cast(Template, loader.get_single_data())
    finally:
        loader.dispose()


def load_folder(folder: Path) -> dict[str, Template]:
    """Every `<name>.yaml` of a folder as name -> template, by name."""
    return {path.stem: load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
