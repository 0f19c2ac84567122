"""Rendered templates as plain data, so that they can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from blueprints.checks.template import load

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Template: TypeAlias = "dict[str, Json]"


def attribute_pair(value: Json) -> Json:
    """The two spellings of Fn::GetAtt, `Resource.Attribute` and a list of two, as the list."""
    return [*value.split(".", 1)] if isinstance(value, str) else value


def load_folder(folder: Path) -> dict[str, Template]:
    """Every `<name>.yaml` of a folder as name -> template, by name."""
    return {path.stem: load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
