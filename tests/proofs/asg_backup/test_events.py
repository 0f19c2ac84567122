"""Which events reach the state machine, by the rules as they were deployed and EventBridge's own test operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from blueprints.local.deployment import Deployment, deploy

from .conftest import read, subnets
from .interpreted import Interpreted

# Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference", scale-in lifecycle action.
TERMINATING: dict[str, Any] = {
    "version": "0",
    "id": "468fe059-f4b7-445f-bb22-2a271b94974d",
    "detail-type": "EC2 Instance-terminate Lifecycle Action",
    "source": "aws.autoscaling",
    "account": "123456789012",
    "time": "2015-12-22T18:43:48Z",
    "region": "us-east-1",
    "resources": [
        "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:59fcbb81-bd02-485d-80ce-563ef5b237bf:"
        "autoScalingGroupName/sampleASG"
    ],
    "detail": {
        "LifecycleActionToken": "630aa23f-48eb-45e7-aba6-799ea6093a0f",
        "AutoScalingGroupName": "sampleASG",
        "LifecycleHookName": "SampleLifecycleHook-6789",
        "EC2InstanceId": "i-12345678",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": "additional-info",
        "Origin": "AutoScalingGroup",
        "Destination": "EC2",
    },
}

# EC2 User Guide, "Spot Instance interruption notices".
INTERRUPTION: dict[str, Any] = {
    "version": "0",
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2019-10-08T18:43:48Z",
    "region": "us-east-2",
    "resources": ["arn:aws:ec2:us-east-2a:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "instance-action": "terminate"},
}

# The same, "Amazon EC2 instance rebalance recommendations"; capacity rebalancing answers it.
REBALANCE = {**INTERRUPTION, "detail-type": "EC2 Instance Rebalance Recommendation"}


@pytest.fixture(scope="module")
def aws() -> Iterator[Interpreted]:
    with Interpreted() as made:
        yield made


@pytest.fixture(scope="module")
def new(aws: Interpreted) -> Deployment:
    """The committed stack with a new group."""
    return deploy(read("asg-backup", **subnets(aws)), aws)


@pytest.fixture(scope="module")
def existing(aws: Interpreted) -> Deployment:
    """The committed stack for a group that exists, beside that group and its role."""
    launch = {"LaunchTemplateName": "workers", "Version": "1"}
    data = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}
    aws.client("iam").create_role(RoleName="workers-role", AssumeRolePolicyDocument="{}")
    aws.client("ec2").create_launch_template(LaunchTemplateName="workers", LaunchTemplateData=data)
    aws.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="workers",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate=launch,
        AvailabilityZones=["us-east-1a"],
    )
    return deploy(read("asg-backup-existing"), aws)


def reaches(aws: Interpreted, done: Deployment, rule: str, event: dict[str, Any]) -> bool:
    """Whether an event matches the pattern of a rule that is deployed."""
    events = aws.client("events")
    deployed = events.describe_rule(Name=done.created[rule].ref)
    assert deployed["State"] == "ENABLED"
    return events.test_event_pattern(EventPattern=deployed["EventPattern"], Event=json.dumps(event))["Result"]


def terminating(done: Deployment, **detail: str) -> dict[str, Any]:
    """The sample event, of the stack's own group and hook but for what is given."""
    if "LifecycleHook" in done.created:
        ours = {"AutoScalingGroupName": "workers", "LifecycleHookName": done.created["LifecycleHook"].ref}
    else:
        ours = {"AutoScalingGroupName": done.created["AutoScalingGroup"].ref, "LifecycleHookName": "backup"}
    return {**TERMINATING, "detail": {**TERMINATING["detail"], **ours, **detail}}


@pytest.mark.parametrize("shape", ["new", "existing"])
def test_an_instance_of_the_group_that_waits_for_the_hook_matches(
    aws: Interpreted, shape: str, request: pytest.FixtureRequest
) -> None:
    done: Deployment = request.getfixturevalue(shape)
    assert reaches(aws, done, "LifecycleRule", terminating(done))
    pool = terminating(done, Destination="WarmPool")
    assert reaches(aws, done, "LifecycleRule", pool)


@pytest.mark.parametrize("shape", ["new", "existing"])
def test_another_groups_and_another_hooks_do_not_match(
    aws: Interpreted, shape: str, request: pytest.FixtureRequest
) -> None:
    """The original's rule fired for every group of the account."""
    done: Deployment = request.getfixturevalue(shape)
    ours = terminating(done)["detail"]["AutoScalingGroupName"]
    for other in ("sampleASG", f"x{ours}", ours.upper(), "asg-backup-2-AutoScalingGroup-1", "workers-2"):
        assert not reaches(aws, done, "LifecycleRule", terminating(done, AutoScalingGroupName=other))
    assert not reaches(aws, done, "LifecycleRule", terminating(done, LifecycleHookName="another"))
    launching = {"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
    assert not reaches(aws, done, "LifecycleRule", terminating(done, **launching))
    for name, value in (("source", "mine"), ("detail-type", "EC2 Instance-launch Lifecycle Action")):
        assert not reaches(aws, done, "LifecycleRule", {**terminating(done), name: value})
    assert not reaches(aws, done, "LifecycleRule", INTERRUPTION)


def test_warnings_of_spot_match_where_they_are_heeded(
    aws: Interpreted, new: Deployment, existing: Deployment
) -> None:
    assert reaches(aws, existing, "SpotRule", INTERRUPTION)
    assert not reaches(aws, existing, "SpotRule", REBALANCE)
    assert not reaches(aws, existing, "SpotRule", terminating(existing))
    assert "SpotRule" not in new.created


def test_a_rule_hands_its_events_to_the_intake_and_keeps_what_it_cannot(
    aws: Interpreted, existing: Deployment
) -> None:
    for rule in ("LifecycleRule", "SpotRule"):
        (target,) = aws.client("events").list_targets_by_rule(Rule=existing.created[rule].ref)["Targets"]
        assert target["Arn"] == existing.created["IntakeStateMachine"].ref
        assert target["RoleArn"] == existing.created["RuleRole"].attributes["Arn"]
        assert target["DeadLetterConfig"]["Arn"] == existing.created["UndeliveredQueue"].attributes["Arn"]
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
