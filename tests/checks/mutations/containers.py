"""Defects of ECS: clusters, services and their instances, added to our network and its groups."""

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
    get,
    groups,
    launch_templates,
    mutates,
    put,
    with_resources,
)

ECS_IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
BREAKER = "Properties.DeploymentConfiguration.DeploymentCircuitBreaker"


def with_service(template: Template) -> Iterator[Template]:
    """A template whose network has a service behind a load balancer, with all that it waits for."""
    if not any(groups(template)):
        return
    subnets = [{"Ref": "PrivateSubnet"}]
    yield with_resources(
        template,
        Cluster={"Type": "AWS::ECS::Cluster"},
        Association={
            "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
            "Properties": {
                "Cluster": {"Ref": "Cluster"},
                "CapacityProviders": ["FARGATE"],
                "DefaultCapacityProviderStrategy": [{"CapacityProvider": "FARGATE"}],
            },
        },
        Task={"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [{"Name": "web"}]}},
        Target={"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"Port": 80}},
        Balancer={"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Subnets": subnets}},
        Listener={
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Target"}}],
            },
        },
        Service={
            "Type": "AWS::ECS::Service",
            "DependsOn": ["Association", "Listener"],
            "Properties": service(),
        },
    )


def service() -> dict[str, Any]:
    """Properties of a service that no check objects to."""
    return {
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": "Task"},
        "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
        "HealthCheckGracePeriodSeconds": 60,
        "LoadBalancers": [{"TargetGroupArn": {"Ref": "Target"}, "ContainerName": "web", "ContainerPort": 80}],
    }


@mutates("CB005")
def protection_enabled(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        provider = {"AutoScalingGroupArn": {"Ref": group}, "ManagedTerminationProtection": "DISABLED"}
        base = put(template, "Resources.Provider.Type", "AWS::ECS::CapacityProvider")
        base = put(base, "Resources.Provider.Properties.AutoScalingGroupProvider", provider)
        at = "Resources.Provider.Properties.AutoScalingGroupProvider.ManagedTerminationProtection"
        yield Plant(base, at, "ENABLED", at)


@mutates("CB005", no_parameter=STRUCTURE)
def group_protected(template: Template) -> Iterator[Plant]:
    """The provider protects the instances of a group elsewhere, until it is given ours."""
    for group, _ in groups(template):
        provider = {"AutoScalingGroupArn": "elsewhere", "ManagedTerminationProtection": "ENABLED"}
        base = put(template, "Resources.Provider.Type", "AWS::ECS::CapacityProvider")
        base = put(base, "Resources.Provider.Properties.AutoScalingGroupProvider", provider)
        at = "Resources.Provider.Properties.AutoScalingGroupProvider"
        yield Plant(base, f"{at}.AutoScalingGroupArn", {"Ref": group}, f"{at}.ManagedTerminationProtection")


@mutates("CB168", no_if=DEPENDS_ON, no_parameter=GONE)
def capacity_not_awaited(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        yield Plant(base, "Resources.Service.DependsOn.0", ABSENT, "Resources.Service")


@mutates("CB168", no_parameter=GONE)
def launch_type_gone(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        base = put(
            put(base, "Resources.Service.DependsOn.0", ABSENT),
            "Resources.Service.Properties.LaunchType",
            "EC2",
        )
        yield Plant(base, "Resources.Service.Properties.LaunchType", ABSENT, "Resources.Service")


@mutates("CB037")
def breaker_off(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        for name in ("Enable", "Rollback"):
            yield Plant(base, f"Resources.Service.{BREAKER}.{name}", False, "Resources.Service")


@mutates("CB037", no_parameter=GONE)
def breaker_gone(template: Template) -> Iterator[Plant]:
    parts = BREAKER.split(".")
    for base in with_service(template):
        for path in (f"{BREAKER}.Rollback", BREAKER, ".".join(parts[:-1])):
            yield Plant(base, f"Resources.Service.{path}", ABSENT, "Resources.Service")


@mutates("CB037")
def controller_of_ecs(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        controller = "Resources.Service.Properties.DeploymentController.Type"
        base = put(put(base, f"Resources.Service.{BREAKER}", ABSENT), controller, "EXTERNAL")
        yield Plant(base, controller, "ECS", "Resources.Service")


@mutates("CB157", no_parameter=GONE)
def grace_period_gone(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        at = "Resources.Service.Properties.HealthCheckGracePeriodSeconds"
        yield Plant(base, at, ABSENT, "Resources.Service")


@mutates("CB157", no_parameter=STRUCTURE)
def balanced_without_grace(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        at = "Resources.Service.Properties.LoadBalancers"
        balancers = get(base, at)
        base = put(base, "Resources.Service.Properties.HealthCheckGracePeriodSeconds", ABSENT)
        yield Plant(put(base, at, []), at, balancers, "Resources.Service")
        yield Plant(put(base, at, []), f"{at}.0", balancers[0], "Resources.Service")


@mutates("CB158", no_if=DEPENDS_ON, no_parameter=GONE)
def listener_not_awaited(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        yield Plant(base, "Resources.Service.DependsOn.1", ABSENT, "Resources.Service")


@mutates("CB158", no_parameter=STRUCTURE)
def balanced_before_listener(template: Template) -> Iterator[Plant]:
    for base in with_service(template):
        at = "Resources.Service.Properties.LoadBalancers.0.TargetGroupArn"
        base = put(put(base, "Resources.Service.DependsOn.1", ABSENT), at, "elsewhere")
        yield Plant(base, at, {"Ref": "Target"}, "Resources.Service")


@mutates("CB038")
def instance_of_no_cluster(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        image = f"{{{{resolve:ssm:{ECS_IMAGE}}}}}"
        yield Plant(template, f"{data}.ImageId", image, f"Resources.{name}")


@mutates("CB038", no_parameter=STRUCTURE)
def cluster_gone_from_script(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        at = f"{data}.UserData"
        base = put(template, f"{data}.ImageId", f"{{{{resolve:ssm:{ECS_IMAGE}}}}}")
        bare = get(base, at)
        told = {"Fn::Base64": "#!/bin/bash\necho ECS_CLUSTER=nodes >> /etc/ecs/ecs.config"}
        yield Plant(put(base, at, told), at, bare, f"Resources.{name}")
