"""Defects of Auto Scaling groups: their updates, their capacity, their lifecycle hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .plant import (
    ABSENT,
    DEPENDS_ON,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    groups,
    mutates,
    put,
    with_resources,
)

ROLLING = "UpdatePolicy.AutoScalingRollingUpdate"
IGNORED = "UpdatePolicy.AutoScalingScheduledAction.IgnoreUnmodifiedGroupSizeProperties"


@mutates("CB053", no_parameter=GONE)
def update_policy_gone(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        for path in ("UpdatePolicy", ROLLING):
            yield Plant(template, f"Resources.{group}.{path}", ABSENT, f"Resources.{group}")


@mutates("CB154")
def no_room(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        least = f"Resources.{group}.{ROLLING}.MinInstancesInService"
        yield Plant(template, least, "99", least)
        base = put(put(template, least, "1"), f"Resources.{group}.Properties.MaxSize", "2")
        yield Plant(base, f"Resources.{group}.Properties.MaxSize", "1", least)


@mutates("CB155")
def signals_not_awaited(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.{ROLLING}"
        yield Plant(template, f"{at}.WaitOnResourceSignals", False, at)


@mutates("CB155", no_parameter=GONE)
def waiting_gone(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.{ROLLING}"
        yield Plant(template, f"{at}.WaitOnResourceSignals", ABSENT, at)


def with_policy(template: Template) -> Iterator[tuple[str, Template]]:
    """For each group its id and a template where its capacity is left to a scaling policy."""
    for group, _ in groups(template):
        policy = {"AutoScalingGroupName": {"Ref": group}, "PolicyType": "TargetTrackingScaling"}
        base = with_resources(
            template, Scaling={"Type": "AWS::AutoScaling::ScalingPolicy", "Properties": policy}
        )
        yield group, put(base, f"Resources.{group}.Properties.DesiredCapacity", ABSENT)


@mutates("CB054")
def capacity_given(template: Template) -> Iterator[Plant]:
    for group, base in with_policy(template):
        at = f"Resources.{group}.Properties.DesiredCapacity"
        yield Plant(base, at, "1", at)
        base = put(put(base, at, "1"), f"Resources.{group}.{IGNORED}", True)
        yield Plant(base, f"Resources.{group}.{IGNORED}", False, at)


@mutates("CB054", no_parameter=GONE)
def capacity_not_ignored(template: Template) -> Iterator[Plant]:
    for group, base in with_policy(template):
        at = f"Resources.{group}.Properties.DesiredCapacity"
        base = put(put(base, at, "1"), f"Resources.{group}.{IGNORED}", True)
        yield Plant(base, f"Resources.{group}.{IGNORED}", ABSENT, at)


@mutates("CB054", no_parameter=STRUCTURE)
def group_scaled(template: Template) -> Iterator[Plant]:
    for group, base in with_policy(template):
        at = f"Resources.{group}.Properties.DesiredCapacity"
        scaled = "Resources.Scaling.Properties.AutoScalingGroupName"
        base = put(put(base, at, "1"), scaled, "elsewhere")
        yield Plant(base, scaled, {"Ref": group}, at)


def hook() -> dict[str, Any]:
    """Properties of a hook that says how long it waits, and for what."""
    return {
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 300,
        "DefaultResult": "CONTINUE",
    }


def with_hook(template: Template) -> Iterator[tuple[str, str, Template]]:
    """For each group its id, the path of a hook, in the group and by itself, and a template with it."""
    for group, _ in groups(template):
        alone = {"AutoScalingGroupName": {"Ref": group}, **hook()}
        base = with_resources(template, Hook={"Type": "AWS::AutoScaling::LifecycleHook", "Properties": alone})
        yield group, "Resources.Hook.Properties", base
        at = f"Resources.{group}.Properties.LifecycleHookSpecificationList"
        yield group, f"{at}.0", put(template, at, [{"LifecycleHookName": "drain", **hook()}])


@mutates("CB039", no_parameter=GONE)
def patience_by_default(template: Template) -> Iterator[Plant]:
    for _, at, base in with_hook(template):
        for name in ("HeartbeatTimeout", "DefaultResult"):
            yield Plant(base, f"{at}.{name}", ABSENT, at)


def notifying(template: Template) -> Iterator[tuple[str, Template]]:
    """For each hook its path and a template where it notifies a topic by a role whose policy it waits for."""
    for group, at, base in with_hook(template):
        owner = at.split(".")[1]
        statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": "autoscaling.amazonaws.com"},
                }
            ],
        }
        base = with_resources(
            base,
            Topic={"Type": "AWS::SNS::Topic"},
            HookRole={"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
            HookPolicy={
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "Notify",
                    "Roles": [{"Ref": "HookRole"}],
                    "PolicyDocument": document,
                },
            },
        )
        base = put(base, f"{at}.NotificationTargetARN", {"Ref": "Topic"})
        base = put(base, f"{at}.RoleARN", {"Fn::GetAtt": ["HookRole", "Arn"]})
        waiting: list[str] = base["Resources"][group].get("DependsOn", []) if owner == group else []
        yield at, put(base, f"Resources.{owner}.DependsOn", ["HookPolicy", *waiting])


@mutates("CB041", no_if=DEPENDS_ON, no_parameter=GONE)
def policy_not_awaited(template: Template) -> Iterator[Plant]:
    for at, base in notifying(template):
        yield Plant(base, f"Resources.{at.split('.')[1]}.DependsOn.0", ABSENT, at)


@mutates("CB041", no_parameter=STRUCTURE)
def role_without_policy(template: Template) -> Iterator[Plant]:
    for at, base in notifying(template):
        base = put(base, f"Resources.{at.split('.')[1]}.DependsOn.0", ABSENT)
        arn = {"Fn::GetAtt": ["HookRole", "Arn"]}
        yield Plant(put(base, f"{at}.RoleARN", "elsewhere"), f"{at}.RoleARN", arn, at)
