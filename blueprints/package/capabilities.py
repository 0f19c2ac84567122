"""What a deployment has to be told that it may do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .places import mapping

# CloudFormation, "CreateStack": Capabilities.
_IAM = frozenset(
    f"AWS::IAM::{name}"
    for name in (
        "AccessKey", "Group", "InstanceProfile", "ManagedPolicy", "Policy", "Role", "User", "UserToGroupAddition",
    )
)  # fmt: skip
_NAMES = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")
_NAMED_TYPES = frozenset(
    f"AWS::IAM::{name}" for name in ("Group", "InstanceProfile", "ManagedPolicy", "Role", "User")
)
_STACKS = frozenset({"AWS::CloudFormation::Stack", "AWS::Serverless::Application"})


def capabilities(template: Mapping[str, Any]) -> frozenset[str]:
    """The capabilities of `aws cloudformation deploy`, those of nested templates apart.

    A SAM function without a role gets one; a nested stack may hold anything that its template's address does not tell.
    """
    needed: set[str] = set()
    for kind, properties in _resources(template.get("Resources")):
        if kind in _IAM or kind in _STACKS or kind.startswith("AWS::Serverless::"):
            needed.add("CAPABILITY_IAM")
        if kind in _NAMED_TYPES and properties.keys() & _NAMES:
            needed.add("CAPABILITY_NAMED_IAM")
    if "Transform" in template or "Fn::Transform" in str(template):
        needed.add("CAPABILITY_AUTO_EXPAND")
    return frozenset(needed)


def _resources(section: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in mapping(section).values():
        # Fn::ForEach: [identifier, collection, resources of each turn].
        if isinstance(each, list):
            yield from _resources(each[-1] if each else None)
        else:
            yield str(mapping(each).get("Type")), mapping(mapping(each).get("Properties"))
