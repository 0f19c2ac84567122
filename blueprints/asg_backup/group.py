"""The group whose instances are backed up: a new one, or the one that exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Ref, Sub, Tags, autoscaling, ec2
from troposphere.policies import AutoScalingRollingUpdate, UpdatePolicy

from ..blocks.instances import UNDISTURBED, latest, mixed
from ..blocks.network import name_rules, rule
from .config import BackupConfig

TITLE = "AutoScalingGroup"
HOOK = "backup"


# CloudFormation User Guide, "Name type": a generated name is the stack's name, the logical id and a random string.
# Spoken of by its beginning, the group can come last: rule and state machine are there before its first instance,
# and when the stack is deleted they stay until its last one is backed up.
NEW_NAMES = Sub(f"${{AWS::StackName}}-{TITLE}-*")
NEW_MATCHED = {"prefix": Sub(f"${{AWS::StackName}}-{TITLE}-")}


def _hook(config: BackupConfig) -> dict[str, Any]:
    """What holds an instance back. Where nobody answers, its end goes on as it does after a failure."""
    return {
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": config.timing.heartbeat_seconds,
        "DefaultResult": "CONTINUE" if config.on_failure == "continue" else "ABANDON",
    }


def hook(group: Ref, config: BackupConfig, after: Sequence[AWSObject]) -> autoscaling.LifecycleHook:
    """The hook of a group that exists, once there is what answers it."""
    return autoscaling.LifecycleHook(
        "LifecycleHook",
        DependsOn=[each.title for each in after],
        AutoScalingGroupName=group,
        **_hook(config),
    )


def security_group(vpc_id: AWSHelperFn, *, proxy: bool) -> ec2.SecurityGroup:
    """Nothing comes in; out go HTTPS, or whatever the proxy listens on, and questions for names."""
    ports = (1, 65535, "To the proxy") if proxy else (443, 443, "HTTPS")
    return ec2.SecurityGroup(
        "InstanceSecurityGroup",
        GroupDescription="Instances of the group, which nobody connects to",
        VpcId=vpc_id,
        SecurityGroupEgress=[rule(*ports, CidrIp="0.0.0.0/0"), *name_rules()],
        Tags=Tags(Name=Sub("${AWS::StackName}")),
    )


def group(
    template: ec2.LaunchTemplate,
    config: BackupConfig,
    after: Sequence[AWSObject],
    **sizes: Any,
) -> autoscaling.AutoScalingGroup:
    """The new group. An update exchanges one instance after the other, each through the hook.

    Its hook stands in it: one of its own would be deleted first, with the stack, and the last instances would go
    without a backup (buildkite/elastic-ci-stack-for-aws#967). `sizes` has MinSize, MaxSize and VPCZoneIdentifier.
    """
    return autoscaling.AutoScalingGroup(
        TITLE,
        DependsOn=[each.title for each in after],
        UpdatePolicy=UpdatePolicy(
            AutoScalingRollingUpdate=AutoScalingRollingUpdate(
                MinInstancesInService="0", MaxBatchSize="1", SuspendProcesses=UNDISTURBED
            )
        ),
        HealthCheckType="EC2",
        HealthCheckGracePeriod=120,
        LifecycleHookSpecificationList=[
            autoscaling.LifecycleHookSpecification(LifecycleHookName=HOOK, **_hook(config))
        ],
        Tags=autoscaling.Tags(Name=(Sub("${AWS::StackName}"), True)),
        **_launched_from(template, config),
        **sizes,
    )


def _launched_from(template: ec2.LaunchTemplate, config: BackupConfig) -> dict[str, Any]:
    if not config.spot:
        return {"LaunchTemplate": latest(template)}
    return mixed(latest(template), base=0, percentage=0)
