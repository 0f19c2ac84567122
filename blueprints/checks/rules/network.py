"""Networks: what must exist before something can use it, and who may reach whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, either_way, items
from .boot import booting, scripts
from .launch import interfaces, numbers, user_data

_WORLD = ("0.0.0.0/0", "::/0")
_EVERY_PORT = range(65536)
_CALLS = re.compile(r"\baws \w|cfn-signal|https?://|s3://")


@dataclass(frozen=True)
class Rule:
    """One ingress rule, whether it stands in its group or by itself."""

    path: tuple[str, ...]
    protocol: str
    ports: range
    networks: tuple[str, ...]


def ingress(model: Model) -> Iterator[Rule]:
    """All ingress rules of a template, in one form."""
    for group in model.of("AWS::EC2::SecurityGroup"):
        for index, rule in enumerate(items(group.get("SecurityGroupIngress", []))):
            if isinstance(rule, dict):
                path = at(group.id, f"Properties.SecurityGroupIngress.{index}")
                yield _rule(path, cast("dict[str, Any]", rule))
    for resource in model.of("AWS::EC2::SecurityGroupIngress"):
        yield _rule(at(resource.id, "Properties"), dict(resource.properties))


def _rule(path: tuple[str, ...], properties: dict[str, Any]) -> Rule:
    networks = [
        each
        for name in ("CidrIp", "CidrIpv6")
        for each in alternatives(properties.get(name))
        if isinstance(each, str)
    ]
    protocol = next((str(each) for each in alternatives(properties.get("IpProtocol"))), "-1")
    return Rule(path, protocol, _ports(protocol, properties), tuple(networks))


def _ports(protocol: str, properties: dict[str, Any]) -> range:
    """The widest range the rule may open: all ports where it names none, none where only the deployment knows."""
    if protocol == "-1" or properties.get("FromPort") is None:
        return _EVERY_PORT
    first, last = numbers(properties.get("FromPort")), numbers(properties.get("ToPort"))
    if first and min(first) < 0:
        return _EVERY_PORT
    return range(min(first), max(last) + 1) if first and last else range(0)


@check(
    "CB049",
    "SSH or RDP open to the world",
    harm="Anybody may try passwords and keys; such ports are found and tried within minutes.",
    source="EC2 User Guide, 'Security group rules for different use cases'; checkov CKV_AWS_24, CKV_AWS_260",
    remedy="name the networks that need it and give the parameter no default, or use Session Manager",
)
@either_way
def administration_open_to_the_world(model: Model) -> Iterator[Hit]:
    for rule in ingress(model):
        # EC2 keeps 10.0.0.0/0 as 0.0.0.0/0.
        open_to = [network for network in rule.networks if network.endswith("/0")]
        ports = [port for port in (22, 3389) if port in rule.ports]
        if open_to and ports and rule.protocol in ("-1", "tcp", "6"):
            yield Hit(rule.path, f"port {ports[0]} is open to {open_to[0]}")


@check(
    "CB015",
    "Public address or route made before the gateway is attached",
    harm="Creation races the attachment and fails now and then: the network has no internet gateway yet.",
    source="CloudFormation User Guide, 'DependsOn attribute'; aws/aws-cdk#1140",
    remedy="add DependsOn with the AWS::EC2::VPCGatewayAttachment",
)
@either_way
def used_before_gateway_is_attached(model: Model) -> Iterator[Hit]:
    attachments = {each.id for each in model.of("AWS::EC2::VPCGatewayAttachment")}
    if not attachments:
        return  # the network is somebody else's
    for resource in _users_of_gateway(model):
        if not model.needs(resource.id) & attachments:
            yield Hit(at(resource.id), f"{resource.type} does not wait for {', '.join(sorted(attachments))}")


def _users_of_gateway(model: Model) -> Iterator[Resource]:
    """What fails without it. An address by itself does not: it is only set aside until something has it."""
    gateways = {each.id for each in model.of("AWS::EC2::InternetGateway")}
    yield from (each for each in model.of("AWS::EC2::EIP") if each.get("InstanceId") is not None)
    yield from model.of("AWS::EC2::EIPAssociation")
    for resource in model.of("AWS::EC2::NatGateway"):
        if resource.get("ConnectivityType", "public") == "public":
            yield resource
    for route in model.of("AWS::EC2::Route"):
        gateway = route.get("GatewayId")
        if isinstance(gateway, Reference) and gateway.target in gateways:
            yield route


@check(
    "CB016",
    "Instances boot before their subnet has a way out",
    harm="User data runs once, and its first download fails because the route is not there yet.",
    source="CloudFormation User Guide, 'DependsOn attribute'",
    remedy="add DependsOn with the subnet's default route and its route table association",
)
@either_way
def boots_before_its_route(model: Model) -> Iterator[Hit]:
    ways = _ways_out(model)
    for resource, subnets in _booting(model):
        missing = {need for subnet in subnets for need in ways.get(subnet, ())} - model.needs(resource.id)
        if missing:
            yield Hit(at(resource.id), f"it does not wait for {', '.join(sorted(missing))}")


def _ways_out(model: Model) -> dict[str, set[str]]:
    """Subnet -> the association and the default route through which it reaches the internet."""
    routes: dict[str, set[str]] = {}
    for route in model.of("AWS::EC2::Route"):
        table = route.get("RouteTableId")
        if route.get("DestinationCidrBlock") in _WORLD and isinstance(table, Reference):
            routes.setdefault(table.target, set()).add(route.id)
    ways: dict[str, set[str]] = {}
    for association in model.of("AWS::EC2::SubnetRouteTableAssociation"):
        table, subnet = association.get("RouteTableId"), association.get("SubnetId")
        if isinstance(table, Reference) and isinstance(subnet, Reference) and table.target in routes:
            ways.setdefault(subnet.target, set()).update({association.id}, routes[table.target])
    return ways


def _booting(model: Model) -> Iterator[tuple[Resource, set[str]]]:
    """Instances and groups that need the network to boot, with the subnets of this template that they are in."""
    for resource, places in booting(model):
        if any(_calls_out(model, place) for place in places):
            yield resource, _subnets(resource)


def _calls_out(model: Model, place: Resource) -> bool:
    """Whether its user data fetches or tells something; what is no shell script may."""
    lines = [line for script in scripts(model, place) for line in script.lines]
    if not any(True for _ in scripts(model, place)):
        return any(user_data(model, place))
    return any(line.may_fail or _CALLS.search(line.text) for line in lines)


def _subnets(resource: Resource) -> set[str]:
    """Subnets of this template, named by a group, by an instance or by its network interfaces."""
    named = [resource.get("SubnetId"), *(each.get("SubnetId") for each in interfaces(resource.properties))]
    return _references(resource.get("VPCZoneIdentifier", [])) | _references(named)


def _references(value: Any) -> set[str]:
    return {each.target for each in items(value) if isinstance(each, Reference)}
