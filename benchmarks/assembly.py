"""L1 classes and their property types, from the CDK's own description of itself: `aws-cdk-lib/.jsii.gz`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, cast

_BASE = "aws-cdk-lib.CfnResource"
RESOLVABLE = "aws-cdk-lib.IResolvable"


@dataclass(frozen=True)
class Primitive:
    """string, number, boolean, date, json or any."""

    name: str


@dataclass(frozen=True)
class Named:
    """A type with a full name: a struct, an interface, an enum."""

    fqn: str


@dataclass(frozen=True)
class Array:
    """A list of one element type."""

    element: Type


@dataclass(frozen=True)
class Map:
    """Strings to one element type; the keys are the user's own."""

    element: Type


@dataclass(frozen=True)
class OneOf:
    """A union."""

    members: tuple[Type, ...]


Type: TypeAlias = "Primitive | Named | Array | Map | OneOf"

ANY = Primitive("any")
STRING = Primitive("string")


@dataclass(frozen=True)
class Field:
    """One property of a struct: its name in camelCase and what it takes."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True)
class Struct:
    """A value type. `fields` is keyed by lower-case name: only case differs from CloudFormation's names."""

    fqn: str
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Resource:
    """An L1 class and the struct of its properties."""

    fqn: str
    properties: Struct


class Assembly:
    """Look-ups in one jsii assembly."""

    def __init__(self, path: Path) -> None:
        with gzip.open(path) as file:
            self._types: dict[str, dict[str, Any]] = json.load(file)["types"]

    def resource(self, cloudformation_type: str) -> Resource | None:
        """The L1 class of a CloudFormation type, if the CDK has one."""
        fqn = self._classes.get(cloudformation_type)
        properties = self.struct(f"{fqn}Props") if fqn else None
        return Resource(fqn, properties) if fqn and properties else None

    def struct(self, fqn: str) -> Struct | None:
        """The struct of that name; None for any other kind of type."""
        described = self._types.get(fqn)
        if not described or not described.get("datatype"):
            return None
        return Struct(fqn, {field.name.lower(): field for field in self._fields(described)})

    @cached_property
    def _classes(self) -> dict[str, str]:
        """CloudFormation type -> class; of two classes for one type the one in the service's module."""
        found: dict[str, str] = {}
        for fqn, described in self._types.items():
            resource = described.get("docs", {}).get("custom", {}).get("cloudformationResource")
            if described["kind"] == "class" and resource and described.get("base") == _BASE:
                found[resource] = max(found.get(resource, ""), fqn, key=lambda name: name.count("."))
        return found

    def _fields(self, described: Mapping[str, Any]) -> Iterator[Field]:
        for base in described.get("interfaces", []):
            yield from self._fields(self._types.get(base, {}))
        for each in described.get("properties", []):
            yield Field(each["name"], _type(each["type"]), not each.get("optional", False))


def members(type_: Type) -> tuple[Type, ...]:
    """The members of a union; of any other type, itself."""
    if isinstance(type_, OneOf):
        return tuple(inner for member in type_.members for inner in members(member))
    return (type_,)


def _type(raw: Mapping[str, Any]) -> Type:
    if "primitive" in raw:
        return Primitive(cast(str, raw["primitive"]))
    if "fqn" in raw:
        return Named(cast(str, raw["fqn"]))
    if "collection" in raw:
        element = _type(raw["collection"]["elementtype"])
        return Array(element) if raw["collection"]["kind"] == "array" else Map(element)
    return OneOf(tuple(_type(each) for each in raw.get("union", raw.get("intersection"))["types"]))
