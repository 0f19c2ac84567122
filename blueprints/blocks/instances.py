"""Instances of Auto Scaling groups: what they are launched from, and how an update exchanges them."""

from __future__ import annotations

from typing import Any

from troposphere import AWSHelperFn, GetAtt, Ref, autoscaling, ec2, iam

from .properties import given

AMAZON_LINUX_ROOT = "/dev/xvda"
# What would count, end or move instances while an update exchanges them.
UNDISTURBED = ["HealthCheck", "ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions"]


def root_volume(
    device: str, size: AWSHelperFn | int, key: AWSHelperFn | None
) -> ec2.LaunchTemplateBlockDeviceMapping:
    """An encrypted gp3 volume of `size` GiB that goes with its instance."""
    disk = ec2.EBSBlockDevice(
        DeleteOnTermination=True, Encrypted=True, VolumeSize=size, VolumeType="gp3", **given(KmsKeyId=key)
    )
    return ec2.LaunchTemplateBlockDeviceMapping(DeviceName=device, Ebs=disk)


def launch_template(
    title: str,
    profile: iam.InstanceProfile,
    volume: ec2.LaunchTemplateBlockDeviceMapping,
    **more: Any,
) -> ec2.LaunchTemplate:
    """An instance with IMDSv2 for itself and not for its containers. `more` has at least image, type and groups."""
    return ec2.LaunchTemplate(
        title,
        LaunchTemplateData=ec2.LaunchTemplateData(
            BlockDeviceMappings=[volume],
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(profile, "Arn")),
            MetadataOptions=ec2.MetadataOptions(
                HttpEndpoint="enabled", HttpTokens="required", HttpPutResponseHopLimit=1
            ),
            Monitoring=ec2.Monitoring(Enabled=True),
            **more,
        ),
    )


def latest(template: ec2.LaunchTemplate) -> autoscaling.LaunchTemplateSpecification:
    """The version that this template makes, so that a change of it reaches the group."""
    return autoscaling.LaunchTemplateSpecification(
        LaunchTemplateId=Ref(template), Version=GetAtt(template, "LatestVersionNumber")
    )


def mixed(
    specification: autoscaling.LaunchTemplateSpecification, *, base: int, percentage: int, **overrides: Any
) -> dict[str, Any]:
    """A group's properties for Spot Instances beside `base` and a share of On-Demand Instances."""
    distribution = autoscaling.InstancesDistribution(
        OnDemandBaseCapacity=base,
        OnDemandPercentageAboveBaseCapacity=percentage,
        SpotAllocationStrategy="price-capacity-optimized",
    )
    source = autoscaling.LaunchTemplate(LaunchTemplateSpecification=specification, **overrides)
    policy = autoscaling.MixedInstancesPolicy(InstancesDistribution=distribution, LaunchTemplate=source)
    return {"MixedInstancesPolicy": policy, "CapacityRebalance": True}
