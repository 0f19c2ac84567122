"""The agent's zone: the zone itself, the agent's code, and the function that keeps it clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from troposphere import (
    AWSHelperFn,
    AWSObject,
    GetAtt,
    Ref,
    awslambda,
    ec2,
    events,
    iam,
    logs,
    route53,
)

from ..blocks.network import waiting
from ..blocks.properties import given
from . import assets

_TIMEOUT, _PATIENCE = 120, 150  # of the function and of who waits for it, in seconds


class Records(AWSObject):
    """The records of a zone, which go before the zone does."""

    resource_type = "Custom::Records"
    props = {  # noqa: RUF012 - troposphere's own form
        "ServiceToken": (str, True),
        "ServiceTimeout": (int, True),
        "HostedZoneId": (str, True),
    }


def hosted_zone(name: AWSHelperFn, vpc_id: AWSHelperFn) -> route53.HostedZone:
    """A zone that the network alone sees."""
    return route53.HostedZone(
        "HostedZone",
        Name=name,
        HostedZoneConfig=route53.HostedZoneConfiguration(Comment="Records of running containers"),
        VPCs=[route53.HostedZoneVPCs(VPCId=vpc_id, VPCRegion=Ref("AWS::Region"))],
    )


def health_function(
    zone: route53.HostedZone,
    role: iam.Role,
    log_group: logs.LogGroup,
    stop_percent: int | None,
    group: ec2.SecurityGroup | None,
    subnets: Any,
    ready: Sequence[AWSObject],
) -> awslambda.Function:
    """Removes records of what is gone. `stop_percent` is None where tasks are not asked; then it is in no network."""
    variables: dict[str, Any] = {"ZONE_ID": Ref(zone)}
    placed: dict[str, Any] = {}
    if stop_percent is not None and group is not None:
        variables |= {"CHECKS": "true", "STOP_PERCENT": str(stop_percent)}
        placed = {
            "VpcConfig": awslambda.VPCConfig(SecurityGroupIds=[Ref(group)], SubnetIds=subnets),
            **waiting(ready),
        }
    return assets.function(
        "HealthFunction",
        "health",
        role,
        log_group,
        variables,
        _TIMEOUT,
        inline=False,
        ReservedConcurrentExecutions=1,  # two at once would stop twice as many tasks as the breaker allows
        **placed,
    )


def cleaned(zone: route53.HostedZone, function: awslambda.Function, after: Sequence[AWSObject]) -> Records:
    """Goes after the instances, and takes along what is left in the zone."""
    return Records(
        "ZoneRecords",
        **waiting(after),
        ServiceToken=GetAtt(function, "Arn"),
        ServiceTimeout=_PATIENCE,
        HostedZoneId=Ref(zone),
    )


def rules(function: awslambda.Function, minutes: int) -> list[AWSObject]:
    """When the function looks: when ECS says that a task has stopped, EC2 that an instance ends, and now and then.

    Only the last has tasks asked, so that what the function stops does not call it to stop more.

    ECS Developer Guide, "Amazon ECS task state change events"; EC2 User Guide, "State change events for your
    instances".
    """
    patterns: dict[str, dict[str, Any]] = {
        "Task": {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"]},
        },
        "Instance": {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["shutting-down", "stopped", "stopping", "terminated"]},
        },
    }
    target = events.Target(
        Id="Health",
        Arn=GetAtt(function, "Arn"),
        RetryPolicy=events.RetryPolicy(MaximumEventAgeInSeconds=300, MaximumRetryAttempts=3),
    )
    chosen: dict[str, dict[str, Any]] = {
        f"{name}Rule": {"EventPattern": pattern} for name, pattern in patterns.items()
    }
    chosen["ScheduleRule"] = {"ScheduleExpression": f"rate({minutes} minutes)"}
    found: list[AWSObject] = []
    for title, when in chosen.items():
        rule = events.Rule(title, State="ENABLED", Targets=[target], **given(**when))
        permission = awslambda.Permission(
            f"{title}Permission",
            Action="lambda:InvokeFunction",
            FunctionName=GetAtt(function, "Arn"),
            Principal="events.amazonaws.com",
            SourceArn=GetAtt(rule, "Arn"),
        )
        found += [rule, permission]
    return found
