"""The stack as it is deployed here: roles, functions and the network are made, what runs elsewhere has its ids."""

from __future__ import annotations

from typing import Any

from blueprints.core import Environment
from blueprints.ecs_dns_discovery import EcsDnsDiscovery
from blueprints.ecs_dns_discovery.config import DiscoveryConfig
from blueprints.local.aws import Aws
from blueprints.local.deployment import deploy
from blueprints.local.place import Place
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

from .conftest import ROOT

# What EventBridge sends when it is time: User Guide, "Creating a rule that runs on a schedule"
SCHEDULED: dict[str, Any] = {
    "version": "0",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "time": "2025-01-01T00:00:00Z",
    "detail": {},
}
# Where the committed templates are, whose assets are paths from there
_FOLDER = ROOT / "templates" / "example"
_GIVEN = {
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
    "ClientCidr": "198.51.100.0/24",
}
# Made by nobody here, and named by others: the service, what its ARN says before the name, its other attributes.
_ELSEWHERE = {
    "AWS::CodeBuild::Project": ("codebuild", "project/"),
    "AWS::ECR::Repository": ("ecr", "repository/"),
    "AWS::ECS::Cluster": ("ecs", "cluster/"),
    "AWS::Lambda::LayerVersion": ("lambda", "layer:"),
    "AWS::ECS::CapacityProvider": ("ecs", "capacity-provider/"),
}


def deployed(
    aws: Aws,
    name: str,
    zone: str,
    settings: dict[str, Any],
    environment: Environment | None = None,
    **parameters: str,
) -> Stack:
    """The blueprint with these settings, in an account with this zone."""
    blueprint = EcsDnsDiscovery(DiscoveryConfig.model_validate(settings), environment or Environment())
    stack = Stack(
        blueprint.render(),
        {**_GIVEN, **parameters},
        Place(name),
        file=str(_FOLDER / f"{name}.yaml"),
        fetch=lambda _: "ami-12c6146b",
    )
    provided = {
        each: _provided(stack.place, each, kind)
        for each, kind in stack.resources().items()
        if kind in _ELSEWHERE
    }
    provided["HostedZone"] = Physical(zone)
    deploy(stack, aws, {each: made for each, made in provided.items() if each in stack.resources()})
    return stack


def _provided(place: Place, name: str, kind: str) -> Physical:
    service, path = _ELSEWHERE[kind]
    physical = place.physical_name(name, lower=kind == "AWS::ECR::Repository")
    if kind == "AWS::Lambda::LayerVersion":
        return Physical(place.arn(service, f"{path}{physical}:1"))
    registry = f"{place.account}.dkr.ecr.{place.region}.{place.url_suffix}"
    uri = {"RepositoryUri": f"{registry}/{physical}"} if service == "ecr" else {}
    return Physical(physical, {"Arn": place.arn(service, f"{path}{physical}"), **uri})
