"""Which resources a value of a template needs, so that they can be created before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from . import intrinsics
from .resolver import Resolver, function


def references(resolver: Resolver, raw: Any, where: str) -> Iterator[str]:
    """Logical ids of the resources to which a value refers; of Fn::If, only the arm that is chosen counts."""
    if isinstance(raw, list):
        for index, each in enumerate(cast("list[Any]", raw)):
            yield from references(resolver, each, f"{where}.{index}")
    elif isinstance(raw, Mapping):
        yield from _of_mapping(resolver, cast("Mapping[str, Any]", raw), where)


def _of_mapping(resolver: Resolver, raw: Mapping[str, Any], where: str) -> Iterator[str]:
    name, argument = function(raw)
    if name == "Fn::If":
        condition, yes, no = intrinsics.elements(argument, 3)
        chosen = yes if resolver.condition(str(condition), where) else no
        yield from references(resolver, chosen, where)
        return
    yield from (each for each in _named(name, argument) if each in resolver.section("Resources"))
    for key, value in raw.items():
        yield from references(resolver, value, f"{where}.{key}")


def _named(name: str, argument: Any) -> list[str]:
    """Names to which a function refers by itself, not in its arguments."""
    if name == "Ref":
        return [str(argument)]
    if name == "Fn::GetAtt":
        return [
            argument.split(".")[0] if isinstance(argument, str) else str(intrinsics.elements(argument)[0])
        ]
    if name == "Fn::Sub":
        template = argument if isinstance(argument, str) else intrinsics.elements(argument)[0]
        return [each.split(".")[0] for each in intrinsics.placeholders(str(template))]
    return []
