"""ECS: services that become stable or say why not, instances that find their cluster, clusters that can go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, either_way, items
from .custom_resources import custom_resources
from .launch import images, launched, mappings, says, user_data

_SERVICE = "AWS::ECS::Service"
_ASSOCIATION = "AWS::ECS::ClusterCapacityProviderAssociations"


@check(
    "CB005",
    "Instances that are protected when their stack goes",
    harm="Managed termination protection keeps instances from being scaled in, so deleting the group hangs until "
    "somebody removes the protection by hand.",
    source="ECS Developer Guide, 'Amazon ECS managed termination protection'; aws/aws-cdk#18179; "
    "aws/containers-roadmap#2862",
    remedy="set ManagedTerminationProtection to DISABLED and rely on ManagedDraining, or release the instances by a "
    "custom resource that depends on the group",
)
def protected_instances(model: Model) -> Iterator[Hit]:
    released = {need for each in custom_resources(model) for need in model.needs(each.id)}
    for provider in model.of("AWS::ECS::CapacityProvider"):
        for given in mappings(provider.get("AutoScalingGroupProvider")):
            groups = {
                each.target
                for each in alternatives(given.get("AutoScalingGroupArn"))
                if isinstance(each, Reference) and each.target in model.resources
            }
            if "ENABLED" in alternatives(given.get("ManagedTerminationProtection")) and groups - released:
                path = at(provider.id, "Properties.AutoScalingGroupProvider.ManagedTerminationProtection")
                yield Hit(path, f"the instances of {', '.join(sorted(groups))} are protected")


def _cluster(resource: Resource) -> set[str]:
    return {each.target for each in alternatives(resource.get("Cluster")) if isinstance(each, Reference)}


@check(
    "CB168",
    "Service that does not wait for its cluster's capacity providers",
    harm="The service is made while the cluster has no provider, and fails or runs nothing; on deletion the provider "
    "is still in use and cannot be removed.",
    source="ECS API Reference, 'PutClusterCapacityProviders', ResourceInUseException; aws/aws-cdk#14732",
    remedy="add DependsOn with the AWS::ECS::ClusterCapacityProviderAssociations",
)
@either_way
def service_before_capacity(model: Model) -> Iterator[Hit]:
    for service in model.of(_SERVICE):
        if "LaunchType" in service.properties:
            continue
        for association in model.of(_ASSOCIATION):
            if _cluster(service) & _cluster(association) and association.id not in model.needs(service.id):
                yield Hit(at(service.id), f"it does not wait for {association.id}")


@check(
    "CB037",
    "Service without deployment circuit breaker",
    harm="Tasks that cannot start are started again and again: the stack waits for three hours, and as long again "
    "when it rolls back.",
    source="ECS Developer Guide, 'How the Amazon ECS deployment circuit breaker detects failures'; "
    "aws/copilot-cli#1180; aws/amazon-ecs-agent#1996",
    remedy="set DeploymentConfiguration.DeploymentCircuitBreaker with Enable and Rollback",
)
@either_way
def no_circuit_breaker(model: Model) -> Iterator[Hit]:
    for service in model.of(_SERVICE):
        controllers = {
            kind for each in mappings(service.get("DeploymentController")) for kind in _kinds(each)
        }
        configurations = list(mappings(service.get("DeploymentConfiguration"))) or [{}]
        if not controllers - {"ECS"} and not all(_breaks(each) for each in configurations):
            yield Hit(at(service.id), "it has no circuit breaker that rolls back")


def _kinds(controller: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(each) for each in alternatives(controller.get("Type")))


def _breaks(configuration: Mapping[str, Any]) -> bool:
    found = list(mappings(configuration.get("DeploymentCircuitBreaker")))
    return bool(found) and all(
        not says(each.get(name, False), "false") for each in found for name in ("Enable", "Rollback")
    )


@check(
    "CB157",
    "Service behind a load balancer without time to start",
    harm="The load balancer asks a task that is still starting, and the service kills it for being unhealthy, again "
    "and again.",
    source="ECS Developer Guide, 'Optimize load balancer health check parameters for Amazon ECS'; aws/copilot-cli#1180",
    remedy="set HealthCheckGracePeriodSeconds to what a task needs to start",
    severity="warning",
)
@either_way
def no_grace_period(model: Model) -> Iterator[Hit]:
    for service in model.of(_SERVICE):
        balanced = any(True for _ in items(service.get("LoadBalancers", [])))
        if balanced and not any(True for _ in alternatives(service.get("HealthCheckGracePeriodSeconds"))):
            yield Hit(at(service.id), "it has a load balancer and no HealthCheckGracePeriodSeconds")


@check(
    "CB158",
    "Service that does not wait for its listener",
    harm="ECS refuses the service when its target group does not belong to a load balancer yet.",
    source="ECS Developer Guide, 'Service load balancing troubleshooting', target group without load balancer",
    remedy="add DependsOn with the listener or the listener rule",
)
def service_before_listener(model: Model) -> Iterator[Hit]:
    groups = {each.id for each in model.of("AWS::ElasticLoadBalancingV2::TargetGroup")}
    listeners = {
        each.id
        for each in model.of(
            "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"
        )
    }
    for service in model.of(_SERVICE):
        for group in sorted(groups & _referred(model, service.id, "Properties.LoadBalancers")):
            forwarding = {each for each in listeners if group in _referred(model, each, "Properties")}
            if forwarding and not forwarding & model.needs(service.id):
                yield Hit(at(service.id), f"it does not wait for {', '.join(sorted(forwarding))}")


def _referred(model: Model, source: str, path: str) -> set[str]:
    return {each.target for each in model.edges if each.source == source and each.path.startswith(path)}


@check(
    "CB038",
    "Container instance that names no cluster",
    harm="The agent joins a cluster called default, or none; services wait for instances that never come.",
    source="ECS Developer Guide, 'Bootstrapping Amazon ECS Linux container instances to pass data'; "
    "vatertime/minecraft-spot-pricing#4",
    remedy="write ECS_CLUSTER=${Cluster} into /etc/ecs/ecs.config from user data",
)
@either_way
def instance_without_cluster(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        optimized = [each for each in images(model, resource) if "/ecs/optimized-ami/" in each]
        told = [*user_data(model, resource), str(resource.raw.get("Metadata", ""))]
        if optimized and not any(_names_cluster(each) for each in told):
            yield Hit(at(resource.id), "its user data does not say which cluster to join")


def _names_cluster(data: str) -> bool:
    """Whether it does, or gets it from somewhere that the template does not show."""
    words = ("ECS_CLUSTER", "ecs.config", "Initialize-ECSAgent", "cfn-init", "aws s3 cp")
    return data.startswith("${") or any(word in data for word in words)
