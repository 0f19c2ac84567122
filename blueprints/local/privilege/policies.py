"""The roles of a stack with what their policies in the rendered template allow, and IAM's answer to a request.

Evaluated as in IAM User Guide, "Policy evaluation logic", for identity policies: what is not allowed is denied, and a
Deny wins. Left out is what can only take away, or stands elsewhere: boundaries, resource policies, organizations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...checks.actions import matches
from ...core import BlueprintError, Fault
from ..resolved import entries
from ..stack import Stack
from . import conditions, patterns
from .request import Request, several

_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Statement:
    """One statement. `place` is where it stands.

    The rest are reasons from the Metadata beside the policy: of actions why they are allowed on `*` (`everywhere`) or
    though no run uses them (`unused`), of resources why they are patterns though no run needs that (`wider`).
    """

    place: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    everywhere: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    unused: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    wider: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def hits(self, request: Request) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """The pairs of action and resource that mean a request, with what stands for the resource's wildcards.

        Raises NotJudgedError for a condition that cannot be judged.
        """
        actions = [each for each in self.actions if matches(each, request.action)]
        found = [
            (action, resource, texts)
            for resource in self.resources
            if actions and (texts := patterns.matched_arn(resource, request.resource, request)) is not None
            for action in actions
        ]
        if found and conditions.holds(self.condition, request):
            yield from found


@dataclass(frozen=True)
class Role:
    """A role. `name` is the one that calls are signed with, `services` who may take it on: `lambda`, `ec2`."""

    id: str
    name: str
    arn: str
    services: tuple[str, ...]
    statements: tuple[Statement, ...]
    tags: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def keys(self) -> set[str]:
        """Condition keys that its policies read, in small letters."""
        of_conditions = [conditions.keys(each.condition) for each in self.statements]
        of_resources = [patterns.variables(text) for each in self.statements for text in each.resources]
        return set[str]().union(*of_conditions, *of_resources)


def decide(role: Role, request: Request) -> tuple[list[tuple[Statement, str, str, tuple[str, ...]]], str]:
    """What in a role allows a request, and why it is refused: one of both is empty.

    Raises NotJudgedError for a statement about the request whose condition cannot be judged, whatever others say.
    """
    hits = [(each, list(each.hits(request))) for each in role.statements]
    denied = [each.place for each, found in hits if found and not each.allows]
    allowed = [(each, *hit) for each, found in hits if each.allows for hit in found]
    if denied:
        return [], f"{denied[0]} denies it"
    return allowed, "" if allowed else "no statement allows it"


# Reading a stack


def roles(stack: Stack) -> dict[str, Role]:
    """The roles of a stack that exists, by logical id; and policies that no role of it has, each as a role.

    Such a policy is for a role of somebody else's, that of instances in an existing group. Raises BlueprintError for a
    policy that is not in the template, and for NotAction and NotResource.
    """
    found = {name: _role(stack, name) for name in stack.resources("AWS::IAM::Role")}
    attached = {each.place.split(".")[0] for role in found.values() for each in role.statements}
    alone = [
        each
        for each in stack.resources("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
        if each not in attached
    ]
    return found | {name: _policy(stack, name) for name in alone}


def _policy(stack: Stack, name: str) -> Role:
    arn = stack.physical[name].ref
    statements = _statements(stack, name, "", stack.properties(name)["PolicyDocument"])
    return Role(name, arn, arn, (), tuple(statements))


def _role(stack: Stack, name: str) -> Role:
    properties, physical = stack.properties(name), stack.physical[name]
    statements = [
        each
        for policy in several(properties.get("Policies"))
        for each in _statements(stack, name, policy["PolicyName"], policy["PolicyDocument"])
    ]
    own = {each.ref: id_ for id_, each in stack.physical.items()}
    attached = set(_attached(stack, physical.ref))
    for arn in several(properties.get("ManagedPolicyArns")):
        if arn not in own:
            raise _fault(stack, name, f"{arn}: what it allows is not in the template; write the grants")
        attached.add(own[arn])
    for id_ in sorted(attached):
        statements += _statements(stack, id_, "", stack.properties(id_)["PolicyDocument"])
    trust = several(properties["AssumeRolePolicyDocument"]["Statement"])
    services = [
        each.partition(".")[0] for one in trust for each in several(one.get("Principal", {}).get("Service"))
    ]
    tags = {each["Key"]: str(each["Value"]) for each in several(properties.get("Tags"))}
    arn = physical.attributes["Arn"]
    return Role(name, physical.ref, arn, tuple(services), tuple(statements), tags)


def _attached(stack: Stack, role: str) -> Iterator[str]:
    """Logical ids of the policies that name the role."""
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
    for name in stack.resources(*kinds):
        properties = stack.properties(name)
        if role in [*several(properties.get("Roles")), properties.get("RoleName")]:
            yield name


def _statements(stack: Stack, name: str, policy: str, document: Mapping[str, Any]) -> Iterator[Statement]:
    everywhere, unused, wider = (
        _reasons(stack.get(name, f"Metadata.{key}", []), of)
        for key, of in (
            ("AllowedEverywhere", "Actions"),
            ("AllowedUnused", "Actions"),
            ("AllowedWider", "On"),
        )
    )
    for index, each in enumerate(several(document["Statement"])):
        place = ".".join(part for part in (name, policy, str(index)) if part)
        strange = sorted(set(each) - _ELEMENTS)
        if strange:
            raise _fault(stack, name, f"{place}: {', '.join(strange)} cannot be judged; allow what is meant")
        yield Statement(
            place,
            each["Effect"] == "Allow",
            tuple(several(each["Action"])),
            tuple(several(each["Resource"])),
            entries(each.get("Condition")),
            everywhere,
            unused,
            wider,
        )


def _reasons(found: list[Mapping[str, Any]], of: str) -> dict[str, str]:
    """Reasons that are given, by action or resource."""
    return {
        str(one): str(each["Because"]) for each in found if each.get("Because") for one in several(each[of])
    }


def _fault(stack: Stack, name: str, what: str) -> BlueprintError:
    return BlueprintError(Fault(stack.file, f"Resources.{name}", what))
