"""Statements of the policies of a template as they are written: of identities, of resources, and of trust.

`rules/permissions.py` reads those of identities with their values resolved; here ARNs stay patterns, since what they
name is compared with shapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from .arns import pattern
from .check import at
from .model import Model, Resource, entries, function, nodes, written

Kind = Literal["identity", "trust", "resource"]

EVERYTHING = "*"
_IDENTITIES = ("AWS::IAM::", "AWS::SSO::", "AWS::Serverless::")


@dataclass(frozen=True)
class Statement:
    """One statement of any policy. An ARN is None where it may be any at deploy.

    `actions` and `spared` (NotAction) are names or patterns, with ${} in them where they are known at deploy only.
    """

    resource: Resource
    path: tuple[str, ...]
    kind: Kind
    allows: bool
    actions: tuple[str, ...]
    spared: tuple[str, ...]
    on: tuple[str | None, ...]
    condition: Mapping[str, Any]

    @property
    def names_resources(self) -> bool:
        """Whether it is about resources that are known, and not about all."""
        return bool(self.on) and not any(each is None or each == EVERYTHING for each in self.on)


def statements(model: Model) -> Iterator[Statement]:
    """Every statement of every policy: of identities, of resources, and of who may take on a role."""
    for resource in model.resources.values():
        for path, document in _documents(resource):
            for place, each in each_of(document["Statement"], f"{path}.Statement"):
                if "Effect" in entries(each):
                    yield _statement(model, resource, place, entries(each))


def _documents(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What looks like a policy, wherever it stands; other statements, such as a firewall's, have no Effect."""
    for path, node in nodes(resource.raw_properties(), "Properties"):
        found = _parsed(node) if isinstance(node, str) else entries(node)
        if "Statement" in found:
            yield path, found


def _parsed(text: str) -> Mapping[str, Any]:
    """A policy that a property takes as JSON text, as resource policies of logs."""
    if not text.lstrip().startswith("{") or '"Statement"' not in text:
        return {}
    try:
        return entries(json.loads(text))
    except ValueError:
        return {}


def each_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The elements of a list, or the one that stands for it, whichever way conditions go, each with its path."""
    name, argument = function(value)
    if name == "Fn::If" and isinstance(argument, list):
        for index, arm in enumerate(cast("list[Any]", argument)[1:], 1):
            yield from each_of(arm, f"{path}.Fn::If.{index}")
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from each_of(each, f"{path}.{index}")
    elif value is not None and (name, argument) != ("Ref", "AWS::NoValue"):
        yield path, value


def _statement(model: Model, resource: Resource, path: str, entry: Mapping[str, Any]) -> Statement:
    actions, spared = (
        tuple(written(each) for _, each in each_of(entry.get(name))) for name in ("Action", "NotAction")
    )
    return Statement(
        resource=resource,
        path=at(resource.id, path),
        kind=_kind(resource, path),
        allows=entry.get("Effect") == "Allow",
        actions=actions,
        spared=spared,
        on=tuple(pattern(model, each) for _, each in each_of(entry.get("Resource"))),
        condition=entries(entry.get("Condition")),
    )


def _kind(resource: Resource, path: str) -> Kind:
    if "AssumeRolePolicyDocument" in path:
        return "trust"
    return "identity" if resource.type.startswith(_IDENTITIES) else "resource"
