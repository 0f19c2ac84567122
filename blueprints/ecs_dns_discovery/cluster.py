"""The cluster: instances of one group, which grow and shrink with what tasks need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from troposphere import AWSHelperFn, AWSObject, Ref, Sub, autoscaling, ec2, ecs
from troposphere.policies import AutoScalingRollingUpdate, CreationPolicy, ResourceSignal, UpdatePolicy

from ..blocks.instances import UNDISTURBED, latest
from ..blocks.network import waiting
from ..blocks.properties import given

TITLE = "AutoScalingGroup"
# An instance has to fetch the agent and write its first record.
BOOT_SECONDS, _SIGNAL_TIMEOUT = 600, "PT15M"
VOLUME_GIB = 30  # the image's own size


def group(
    template: ec2.LaunchTemplate,
    subnets: Any,
    ready: Sequence[AWSObject],
    *,
    least: AWSHelperFn,
    most: AWSHelperFn,
    signals: bool,
) -> autoscaling.AutoScalingGroup:
    """Instances that the capacity provider counts; an update exchanges one after the other, drained before."""
    rolling: dict[str, Any] = {
        "MinInstancesInService": "0",
        "MaxBatchSize": "1",
        "SuspendProcesses": UNDISTURBED,
    }
    created: dict[str, Any] = {}
    if signals:
        rolling |= {"PauseTime": _SIGNAL_TIMEOUT, "WaitOnResourceSignals": True}
        created["CreationPolicy"] = CreationPolicy(
            ResourceSignal=ResourceSignal(Count=least, Timeout=_SIGNAL_TIMEOUT)
        )
    return autoscaling.AutoScalingGroup(
        TITLE,
        **waiting(ready),
        **created,
        UpdatePolicy=UpdatePolicy(AutoScalingRollingUpdate=AutoScalingRollingUpdate(**rolling)),
        MinSize=least,
        MaxSize=most,
        HealthCheckType="EC2",
        HealthCheckGracePeriod=120,
        LaunchTemplate=latest(template),
        VPCZoneIdentifier=subnets,
        Tags=autoscaling.Tags(Name=(Sub("${AWS::StackName}"), True), AmazonECSManaged=("true", True)),
    )


def capacity_provider(instances: autoscaling.AutoScalingGroup) -> ecs.CapacityProvider:
    """Grows the group when tasks find no room, and drains what is to go.

    Without termination protection: it would keep the instances when the stack is deleted.
    """
    return ecs.CapacityProvider(
        "CapacityProvider",
        AutoScalingGroupProvider=ecs.AutoScalingGroupProvider(
            AutoScalingGroupArn=Ref(instances),
            ManagedDraining="ENABLED",
            ManagedScaling=ecs.ManagedScaling(
                Status="ENABLED", TargetCapacity=100, MinimumScalingStepSize=1, MaximumScalingStepSize=2
            ),
            ManagedTerminationProtection="DISABLED",
        ),
    )


def cluster(group_settings: AWSHelperFn | None) -> ecs.Cluster:
    """The cluster; with Service Connect its namespace is every service's default."""
    defaults = ecs.ServiceConnectDefaults(Namespace=group_settings) if group_settings is not None else None
    return ecs.Cluster(
        "Cluster",
        ClusterSettings=[ecs.ClusterSetting(Name="containerInsights", Value="enabled")],
        **given(ServiceConnectDefaults=defaults),
    )


def association(to: ecs.Cluster, provider: ecs.CapacityProvider) -> ecs.ClusterCapacityProviderAssociations:
    """Every service runs on the group, unless it says otherwise."""
    return ecs.ClusterCapacityProviderAssociations(
        "CapacityProviderAssociations",
        Cluster=Ref(to),
        CapacityProviders=[Ref(provider)],
        DefaultCapacityProviderStrategy=[
            ecs.CapacityProviderStrategy(CapacityProvider=Ref(provider), Weight=1)
        ],
    )
