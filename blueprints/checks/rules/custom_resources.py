"""Custom resources: how long CloudFormation waits for their answer, and what their function needs to give it."""

from __future__ import annotations

from collections.abc import Iterator

from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, either_way
from .functions import functions_behind, roles_of, subnets_of, timeouts, unattached, working_policies
from .launch import numbers


def custom_resources(model: Model) -> Iterator[Resource]:
    """The template's custom resources."""
    for resource in model.resources.values():
        if resource.type.startswith("Custom::") or resource.type == "AWS::CloudFormation::CustomResource":
            yield resource


@check(
    "CB006",
    "Custom resource that waits an hour for its answer",
    harm="When the function dies before it answers, the stack hangs for an hour, and another one in its rollback.",
    source="CloudFormation User Guide, 'Custom resources', ServiceTimeout; aws/aws-cdk#2126; "
    "aws-solutions/instance-scheduler-on-aws#291",
    remedy="set ServiceTimeout a little above the function's Timeout",
    severity="warning",
)
@either_way
def no_service_timeout(model: Model) -> Iterator[Hit]:
    topics = {each.id for each in model.of("AWS::SNS::Topic")}
    for resource in custom_resources(model):
        asked = {
            each.target for each in alternatives(resource.get("ServiceToken")) if isinstance(each, Reference)
        }
        if not asked & topics and not any(True for _ in alternatives(resource.get("ServiceTimeout"))):
            yield Hit(at(resource.id), "it has no ServiceTimeout")


@check(
    "CB167",
    "Custom resource given up before its function",
    harm="CloudFormation stops waiting and rolls back while the function still works on what it was asked for.",
    source="CloudFormation User Guide, 'Custom resources', ServiceTimeout",
    remedy="make ServiceTimeout longer than the function's Timeout",
)
@either_way
def given_up_before_function(model: Model) -> Iterator[Hit]:
    for resource in custom_resources(model):
        patience = numbers(resource.get("ServiceTimeout"))
        for function in functions_behind(model, resource.get("ServiceToken")):
            limits = timeouts(model, function)
            if patience and limits and min(patience) <= max(limits):
                path = at(resource.id, "Properties.ServiceTimeout")
                yield Hit(path, f"it waits {min(patience)} s, and {function.id} may run {max(limits)} s")


@check(
    "CB007",
    "Custom resource that outlives what its function needs",
    harm="On deletion the function is asked once more, when its permissions or its network are gone already: it "
    "cannot do its work or cannot answer, and the deletion fails after an hour.",
    source="CloudFormation User Guide, 'DependsOn attribute'; aws-cloudformation/custom-resource-helper#41",
    remedy="add DependsOn to the custom resource",
)
def outlives_needs_of_function(model: Model) -> Iterator[Hit]:
    for resource in custom_resources(model):
        for function in functions_behind(model, resource.get("ServiceToken")):
            missing = unattached(model, resource.id, _needed(model, function))
            if missing:
                yield Hit(
                    at(resource.id), f"{function.id} needs {', '.join(missing)}, which it does not wait for"
                )


def _needed(model: Model, function: Resource) -> set[str]:
    """What a function works with and does not refer to itself: policies, log group, way out of its network."""
    policies = {each for role in roles_of(model, function.id) for each in working_policies(model, role)}
    return policies | _log_groups(model, function.id) | _ways_out(model, function)


def _log_groups(model: Model, function: str) -> set[str]:
    groups = {each.id for each in model.of("AWS::Logs::LogGroup")}
    return {
        edge.source
        for edge in model.edges
        if edge.target == function
        and edge.source in groups
        and edge.path.startswith("Properties.LogGroupName")
    }


def _ways_out(model: Model, function: Resource) -> set[str]:
    subnets = subnets_of(function)
    associations = _users(model, "AWS::EC2::SubnetRouteTableAssociation", "Properties.SubnetId", subnets)
    tables = {
        edge.target
        for edge in model.edges
        if edge.source in associations and edge.path == "Properties.RouteTableId"
    }
    routes = _users(model, "AWS::EC2::Route", "Properties.RouteTableId", tables)
    groups = {
        edge.target
        for edge in model.edges
        if edge.source == function.id and edge.path.startswith("Properties.VpcConfig")
    } - subnets
    return (
        associations | routes | _users(model, "AWS::EC2::SecurityGroupEgress", "Properties.GroupId", groups)
    )


def _users(model: Model, kind: str, path: str, targets: set[str]) -> set[str]:
    """Resources of a type that refer to one of the targets at a path."""
    own = {each.id for each in model.of(kind)}
    return {e.source for e in model.edges if e.source in own and e.path == path and e.target in targets}
