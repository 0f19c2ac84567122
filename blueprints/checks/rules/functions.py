"""Functions, and the roles of whatever starts to work while the stack is still being made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, either_way, items
from .launch import mappings, numbers
from .permissions import statements_of

FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
_ROLE = "AWS::IAM::Role"
_CARRIERS = {
    "AWS::IAM::InstanceProfile",
    "AWS::EC2::LaunchTemplate",
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::ECS::TaskDefinition",
    *FUNCTIONS,
}
_AT_ONCE = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::Batch::ComputeEnvironment",
    "AWS::CodePipeline::Pipeline",
    "AWS::EC2::Instance",
    "AWS::ECS::Service",
    "AWS::EKS::Cluster",
    "AWS::EKS::Nodegroup",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Logs::SubscriptionFilter",
    "AWS::StepFunctions::StateMachine",
)
# Without these something works and is not seen to: logs, traces and metrics. (A log delivery has to be there first.)
_REPORTS = re.compile(
    r"xray:|cloudwatch:putmetricdata$|logs:(?!.*(?:logdelivery|resourcepolicy))", re.IGNORECASE
)
_INTERFACE = "ec2:CreateNetworkInterface"
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def policies_of(model: Model, role: str) -> set[str]:
    """Policies attached to a role that are resources of their own."""
    own = {each.id for each in model.of(*_POLICIES)}
    return {
        edge.source
        for edge in model.edges
        if edge.target == role and edge.source in own and edge.path.startswith("Properties.Role")
    }


def working_policies(model: Model, role: str) -> set[str]:
    """Policies of a role without which nothing works: not those that only let it report."""
    return {each for each in policies_of(model, role) if not _only_reports(model.resources[each])}


def _only_reports(policy: Resource) -> bool:
    actions = [action for each in statements_of(policy) for action in each.actions]
    return bool(actions) and all(_REPORTS.match(action) for action in actions)


def roles_of(model: Model, resource: str) -> set[str]:
    """Roles that a resource works with, by a launch template, a task definition or a function too."""
    found: set[str] = set()
    waiting, seen = [resource], {resource}
    while waiting:
        source = waiting.pop()
        for edge in model.edges:
            target = model.resources.get(edge.target)
            if edge.source != source or edge.path == "DependsOn" or target is None or target.id in seen:
                continue
            if target.type == _ROLE and "Role" in edge.path:
                found.add(target.id)
            elif target.type in _CARRIERS and _is_use(edge.path):
                seen.add(target.id)
                waiting.append(target.id)
    return found


def _is_use(path: str) -> bool:
    """Whether it is a reference by which something runs, and no name in a variable or a state machine's steps."""
    return (
        re.search(r"Environment|UserData|Tags|Metadata|Definition(?:String|Substitutions|\.)", path) is None
    )


def unattached(model: Model, resource: str, policies: set[str]) -> list[str]:
    """Those of the policies that may be missing when the resource is made and could be waited for."""
    missing = policies - model.needs(resource)
    return sorted(each for each in missing if resource not in model.needs(each))


def in_network(function: Resource) -> bool:
    """Whether the function has network interfaces in a VPC."""
    return any(
        True for each in mappings(function.get("VpcConfig")) for _ in alternatives(each.get("SubnetIds"))
    )


def timeouts(model: Model, function: Resource) -> list[int]:
    """Seconds that a function may run; none where only the deployment knows."""
    common = mappings(model.section("Globals").get("Function") if "Serverless" in function.type else None)
    default = next((each["Timeout"] for each in common if "Timeout" in each), 3)
    return numbers(function.get("Timeout", default))


def _lets_into_network(policy: Resource) -> bool:
    return any(each.may(_INTERFACE) for each in statements_of(policy))


@check(
    "CB004",
    "Function in a VPC that does not wait for its policy",
    harm="Lambda refuses it when it may not yet create its network interfaces; on deletion it may no longer remove "
    "them, and subnet and security group cannot be deleted for 20 minutes and more.",
    source="Lambda Developer Guide, 'Giving Lambda functions access to resources in an Amazon VPC', required IAM "
    "permissions; aws/aws-cdk#6701",
    remedy="add DependsOn with the policy, or put it into the role's own Policies",
)
def network_function_before_policy(model: Model) -> Iterator[Hit]:
    for function in model.of(*FUNCTIONS):
        for role in roles_of(model, function.id) if in_network(function) else ():
            policies = {
                each for each in policies_of(model, role) if _lets_into_network(model.resources[each])
            }
            missing = unattached(model, function.id, policies)
            if missing:
                yield Hit(at(function.id), f"it does not wait for {', '.join(missing)}")


@check(
    "CB018",
    "Role at work before its policy is attached",
    harm="The resource begins to work while it is made and is denied what a policy later in the same stack allows: "
    "boots and deployments fail now and then.",
    source="CloudFormation Template Reference, 'AWS::IAM::Role', Policies, on external policies; "
    "hashicorp/terraform-provider-aws#8248; "
    "convox/rack#1120",
    remedy="add DependsOn with the policy, or put it into the role's own Policies",
)
def works_before_policy(model: Model) -> Iterator[Hit]:
    for resource in model.of(*_AT_ONCE):
        # ECS starts no container whose log stream it may not make.
        needed = policies_of if resource.type == "AWS::ECS::Service" else working_policies
        policies = {each for role in roles_of(model, resource.id) for each in needed(model, role)}
        missing = unattached(model, resource.id, policies)
        if missing:
            yield Hit(at(resource.id), f"it does not wait for {', '.join(missing)}")


@check(
    "CB060",
    "Scheduled function that may overlap itself",
    harm="A slow run is still reading when the next one starts, and the two overwrite each other's work.",
    source="Lambda Developer Guide, 'Configuring reserved concurrency'; EventBridge User Guide, 'Troubleshooting', "
    "a rule that runs more than once",
    remedy="set ReservedConcurrentExecutions to 1, or a Timeout below the schedule's period",
    severity="warning",
)
@either_way
def overlapping_schedule(model: Model) -> Iterator[Hit]:
    for function in model.of(*FUNCTIONS):
        reserved = function.get("ReservedConcurrentExecutions")
        if any(True for _ in alternatives(reserved)) and not set(numbers(reserved)) - {0, 1}:
            continue
        limits, periods = timeouts(model, function), list(_periods(model, function))
        if limits and periods and max(limits) >= min(periods):
            yield Hit(at(function.id), f"it may run {max(limits)} s and starts every {min(periods)} s")


def _periods(model: Model, function: Resource) -> Iterator[int]:
    """Seconds from one start to the next, for each of its schedules."""
    callers = {edge.source for edge in model.edges if edge.target == function.id and "Target" in edge.path}
    for caller in model.of("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        if caller.id in callers:
            yield from _seconds(caller.get("ScheduleExpression"))
    for event in (each for events in mappings(function.get("Events")) for each in events.values()):
        for source in mappings(event):
            for given in mappings(source.get("Properties")) if "Schedule" in str(source.get("Type")) else ():
                yield from _seconds(given.get("Schedule", given.get("ScheduleExpression")))


def _seconds(expression: Any) -> Iterator[int]:
    for each in alternatives(expression):
        rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(each))
        if rate:
            yield int(rate[1]) * _UNITS[rate[2]]
        minutes = re.match(r"cron\((?:\*|[\d*]+/(\d+)) ", str(each))
        if minutes:
            yield int(minutes[1] or 1) * 60
        listed = re.match(r"cron\((\d+(?:,\d+)+) ", str(each))
        if listed:
            times = sorted(map(int, listed[1].split(",")))
            yield from (60 * (later - sooner) for sooner, later in pairwise(times))


def functions_behind(model: Model, value: Any) -> list[Resource]:
    """Functions of this template that a value refers to."""
    targets = [each.target for each in alternatives(value) if isinstance(each, Reference)]
    return [model.resources[each] for each in targets if each in {one.id for one in model.of(*FUNCTIONS)}]


def subnets_of(function: Resource) -> set[str]:
    """Subnets of this template that a function is in."""
    given = (
        subnet for each in mappings(function.get("VpcConfig")) for subnet in items(each.get("SubnetIds"))
    )
    return {subnet.target for subnet in given if isinstance(subnet, Reference)}
