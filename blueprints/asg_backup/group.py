"""The group whose instances are backed up: a new one, or the one that exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Base64, GetAtt, Ref, Sub, Tags, autoscaling, ec2, iam
from troposphere.policies import AutoScalingRollingUpdate, UpdatePolicy

from ..blocks.properties import given
from .config import BackupConfig

TITLE = "AutoScalingGroup"
HOOK = "backup"
_DEVICE = "/dev/xvda"  # Amazon Linux 2023
_UNDISTURBED = ["HealthCheck", "ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions"]


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
    rules = [("tcp", *ports), *((protocol, 53, 53, "Names") for protocol in ("udp", "tcp"))]
    return ec2.SecurityGroup(
        "InstanceSecurityGroup",
        GroupDescription="Instances of the group, which nobody connects to",
        VpcId=vpc_id,
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(
                CidrIp="0.0.0.0/0", Description=words, FromPort=first, IpProtocol=protocol, ToPort=last
            )
            for protocol, first, last, words in rules
        ],
        Tags=Tags(Name=Sub("${AWS::StackName}")),
    )


def launch_template(
    group: ec2.SecurityGroup,
    profile: iam.InstanceProfile,
    key: AWSHelperFn | None,
    user_data: Base64 | None,
    volume_size: AWSHelperFn,
    **more: Any,
) -> ec2.LaunchTemplate:
    """An instance: IMDSv2 for itself alone, an encrypted gp3 volume.

    `more` has ImageId and InstanceType.
    """
    disk = ec2.EBSBlockDevice(
        DeleteOnTermination=True,
        Encrypted=True,
        VolumeSize=volume_size,
        VolumeType="gp3",
        **given(KmsKeyId=key),
    )
    return ec2.LaunchTemplate(
        "LaunchTemplate",
        LaunchTemplateData=ec2.LaunchTemplateData(
            BlockDeviceMappings=[ec2.LaunchTemplateBlockDeviceMapping(DeviceName=_DEVICE, Ebs=disk)],
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(profile, "Arn")),
            MetadataOptions=ec2.MetadataOptions(
                HttpEndpoint="enabled", HttpTokens="required", HttpPutResponseHopLimit=1
            ),
            Monitoring=ec2.Monitoring(Enabled=True),
            SecurityGroupIds=[Ref(group)],
            **given(UserData=user_data),
            **more,
        ),
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
                MinInstancesInService="0", MaxBatchSize="1", SuspendProcesses=_UNDISTURBED
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
    specification = autoscaling.LaunchTemplateSpecification(
        LaunchTemplateId=Ref(template), Version=GetAtt(template, "LatestVersionNumber")
    )
    if not config.spot:
        return {"LaunchTemplate": specification}
    distribution = autoscaling.InstancesDistribution(
        OnDemandBaseCapacity=0,
        OnDemandPercentageAboveBaseCapacity=0,
        SpotAllocationStrategy="price-capacity-optimized",
    )
    source = autoscaling.LaunchTemplate(LaunchTemplateSpecification=specification)
    policy = autoscaling.MixedInstancesPolicy(InstancesDistribution=distribution, LaunchTemplate=source)
    return {"MixedInstancesPolicy": policy, "CapacityRebalance": True}
