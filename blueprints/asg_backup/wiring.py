"""Which events reach the state machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troposphere import AWSHelperFn, GetAtt, Ref, events, iam, sqs, stepfunctions

from . import intake


def target(
    intake: stepfunctions.StateMachine, role: iam.Role, queue: sqs.Queue, age_seconds: int
) -> events.Target:
    """The state machine, tried again until an event is too old to be of use."""
    return events.Target(
        Id="Intake",
        Arn=Ref(intake),
        RoleArn=GetAtt(role, "Arn"),
        DeadLetterConfig=events.DeadLetterConfig(Arn=GetAtt(queue, "Arn")),
        RetryPolicy=events.RetryPolicy(MaximumEventAgeInSeconds=age_seconds, MaximumRetryAttempts=20),
    )


def lifecycle_rule(
    group: Mapping[str, AWSHelperFn] | AWSHelperFn, hook: AWSHelperFn | str, target: events.Target
) -> events.Rule:
    """Instances of the one group that wait for the one hook.

    Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference", terminate lifecycle action.
    """
    pattern: dict[str, Any] = {
        "source": ["aws.autoscaling"],
        "detail-type": [intake.TERMINATING],
        "detail": {
            "AutoScalingGroupName": [group],
            "LifecycleHookName": [hook],
            "LifecycleTransition": ["autoscaling:EC2_INSTANCE_TERMINATING"],
        },
    }
    return events.Rule("LifecycleRule", EventPattern=pattern, State="ENABLED", Targets=[target])


def spot_rule(target: events.Target) -> events.Rule:
    """Warnings of any Spot instance: they name no group, so the state machine looks it up.

    EC2 User Guide, "Spot Instance interruption notices".
    """
    pattern: dict[str, Any] = {"source": ["aws.ec2"], "detail-type": [intake.INTERRUPTION]}
    return events.Rule("SpotRule", EventPattern=pattern, State="ENABLED", Targets=[target])
