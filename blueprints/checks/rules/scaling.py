"""Auto Scaling: updates that reach the instances without taking all of them, capacity, lifecycle hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, either_way
from .boot import waits, waits_on_update
from .functions import policies_of
from .launch import GROUP, mappings, numbers, starters

_ROLLING = "UpdatePolicy.AutoScalingRollingUpdate"
_SCALED = {"AWS::AutoScaling::ScalingPolicy", "AWS::AutoScaling::ScheduledAction"}
_HOOK = "AWS::AutoScaling::LifecycleHook"


def _size(group: Resource, name: str) -> list[int]:
    return numbers(group.get(name))


@check(
    "CB053",
    "Group whose instances no update reaches",
    harm="A new image or a fixed script changes the launch template and nothing else: the old instances stay.",
    source="CloudFormation User Guide, 'UpdatePolicy attribute'",
    remedy="add an UpdatePolicy with AutoScalingRollingUpdate",
    severity="warning",
)
@either_way
def group_without_update_policy(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        updates = ("AutoScalingRollingUpdate", "AutoScalingReplacingUpdate")
        told = any(True for name in updates for _ in model.attribute(group, f"UpdatePolicy.{name}"))
        if not told and starters(model, group) and set(_size(group, "MaxSize")) != {0}:
            yield Hit(at(group.id), "it has no UpdatePolicy for its instances")


@check(
    "CB154",
    "Rolling update that cannot roll",
    harm="CloudFormation refuses the update: as many instances must stay as there may be at most.",
    source="CloudFormation User Guide, 'UpdatePolicy attribute', MinInstancesInService",
    remedy="keep MinInstancesInService below MaxSize",
)
@either_way
def no_room_to_roll(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        written = model.attribute(group, f"{_ROLLING}.MinInstancesInService")
        least = [number for each in written for number in numbers(each)]
        most = _size(group, "MaxSize")
        if least and most and min(least) > 0 and min(least) >= max(most):
            path = at(group.id, f"{_ROLLING}.MinInstancesInService")
            yield Hit(path, f"{min(least)} must stay and MaxSize is {max(most)}")


@check(
    "CB155",
    "Rolling update that does not wait for the new instances",
    harm="The stack waits for signals when it is created and not when it is updated: instances that work are "
    "exchanged for such that do not boot, until none is left.",
    source="CloudFormation User Guide, 'UpdatePolicy attribute', WaitOnResourceSignals",
    remedy="set WaitOnResourceSignals and a PauseTime as long as the CreationPolicy's Timeout",
)
@either_way
def rolls_without_waiting(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        rolls = any(True for _ in model.attribute(group, _ROLLING))
        if rolls and waits(model, group) and not waits_on_update(model, group):
            yield Hit(at(group.id, _ROLLING), "it does not wait for signals")


@check(
    "CB054",
    "Capacity in the template that scaling changes",
    harm="The next update of the stack sets the number back to the template's, under full load too.",
    source="CloudFormation User Guide, 'UpdatePolicy attribute', AutoScalingScheduledAction; Application Auto Scaling "
    "User Guide, 'Register a scalable target'",
    remedy="leave the number out, or for a group set IgnoreUnmodifiedGroupSizeProperties",
)
@either_way
def capacity_of_scaled_resource(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        kept = model.attribute(
            group, "UpdatePolicy.AutoScalingScheduledAction.IgnoreUnmodifiedGroupSizeProperties"
        )
        if _given(group, "DesiredCapacity") and not any(str(each).lower() == "true" for each in kept):
            for scaler in _scalers(model, group):
                yield Hit(at(group.id, "Properties.DesiredCapacity"), f"{scaler} changes it")
                break
    for service in model.of("AWS::ECS::Service"):
        for scaler in _scalers(model, service) if _given(service, "DesiredCount") else ():
            yield Hit(at(service.id, "Properties.DesiredCount"), f"{scaler} changes it")
            break


def _given(resource: Resource, name: str) -> bool:
    return any(True for _ in alternatives(resource.get(name)))


def _scalers(model: Model, resource: Resource) -> list[str]:
    """What changes its capacity after it is made."""
    users = {edge.source for edge in model.edges if edge.target == resource.id and edge.path != "DependsOn"}
    return sorted(
        each for each in users if each in model.resources and _scales(model.resources[each], resource)
    )


def _scales(user: Resource, resource: Resource) -> bool:
    if resource.type != GROUP:
        return user.type == "AWS::ApplicationAutoScaling::ScalableTarget"
    managed = alternatives(user.get("AutoScalingGroupProvider.ManagedScaling.Status"))
    return user.type in _SCALED or (user.type == "AWS::ECS::CapacityProvider" and "ENABLED" in managed)


def _hooks(model: Model) -> Iterator[tuple[str, tuple[str, ...], Mapping[str, Any]]]:
    """Lifecycle hooks with their owner and path, whether they stand in their group or by themselves."""
    for hook in model.of(_HOOK):
        yield hook.id, at(hook.id, "Properties"), hook.properties
    for group in model.of(GROUP):
        for index, hook in enumerate(mappings(group.get("LifecycleHookSpecificationList"))):
            yield group.id, at(group.id, f"Properties.LifecycleHookSpecificationList.{index}"), hook


@check(
    "CB039",
    "Lifecycle hook with the default patience and outcome",
    harm="When nobody completes the action, the instance hangs for an hour and is then given up.",
    source="Auto Scaling API Reference, 'PutLifecycleHook'; hashicorp/terraform-provider-aws#567",
    remedy="set HeartbeatTimeout a little longer than the work takes, and DefaultResult on purpose",
    severity="warning",
)
@either_way
def hook_by_default(model: Model) -> Iterator[Hit]:
    for _, path, hook in _hooks(model):
        missing = [name for name in ("HeartbeatTimeout", "DefaultResult") if hook.get(name) is None]
        if missing:
            yield Hit(path, f"it says no {' and no '.join(missing)}")


@check(
    "CB041",
    "Lifecycle hook before its permission to notify",
    harm="Auto Scaling sends a test message when the hook is made, and refuses the hook when that is denied.",
    source="Auto Scaling User Guide, 'Prepare to add a lifecycle hook', notifications",
    remedy="add DependsOn with the policies of its role and of its queue or topic",
)
def hook_before_permission(model: Model) -> Iterator[Hit]:
    for owner, path, hook in _hooks(model):
        missing = _permissions(model, hook) - model.needs(owner)
        missing = {each for each in missing if owner not in model.needs(each)}
        if missing:
            yield Hit(path, f"it does not wait for {', '.join(sorted(missing))}")


def _permissions(model: Model, hook: Mapping[str, Any]) -> set[str]:
    targets = {
        each.target for each in alternatives(hook.get("NotificationTargetARN")) if isinstance(each, Reference)
    }
    resource_policies = {
        edge.source
        for edge in model.edges
        if edge.target in targets and edge.path.startswith(("Properties.Queues", "Properties.Topics"))
    }
    granted = {
        policy
        for each in alternatives(hook.get("RoleARN"))
        if isinstance(each, Reference)
        for policy in policies_of(model, each.target)
    }
    return resource_policies | granted
