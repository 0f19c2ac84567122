"""Defects of networks: what is used before it can be, and who may reach whom."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    ABSENT,
    DEPENDS_ON,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    groups,
    mutates,
    of,
    put,
    with_resources,
)

WAYS = ("AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation")
ADDRESS = "Resources.Address.Properties.InstanceId"


def attached(template: Template) -> bool:
    """Whether the network is the template's own."""
    return any(of(template, "AWS::EC2::VPCGatewayAttachment"))


def public_routes(template: Template) -> Iterator[str]:
    """Ids of the routes to the internet gateway."""
    for name, route in of(template, "AWS::EC2::Route"):
        if "GatewayId" in route["Properties"]:
            yield name


@mutates("CB015", no_if=DEPENDS_ON, no_parameter=GONE)
def attachment_not_awaited(template: Template) -> Iterator[Plant]:
    for name, _ in [*of(template, "AWS::EC2::NatGateway")]:
        base = put(template, f"Resources.{name}.Properties.AllocationId", "eipalloc-0123456789abcdef0")
        yield Plant(base, f"Resources.{name}.DependsOn", ABSENT, f"Resources.{name}")
    for name in public_routes(template):
        yield Plant(template, f"Resources.{name}.DependsOn", ABSENT, f"Resources.{name}")


@mutates("CB015", no_parameter=STRUCTURE)
def route_to_our_gateway(template: Template) -> Iterator[Plant]:
    for name in public_routes(template):
        at = f"Resources.{name}.Properties.GatewayId"
        base = put(put(template, f"Resources.{name}.DependsOn", ABSENT), at, "igw-0123456789abcdef0")
        yield Plant(base, at, get(template, at), f"Resources.{name}")


def private_gateways(template: Template) -> Iterator[tuple[str, str, Template]]:
    """For each NAT gateway its id, the path of its kind, and a template where it is private and waits for nothing."""
    for name, _ in of(template, "AWS::EC2::NatGateway"):
        at = f"Resources.{name}.Properties"
        base = put(put(template, f"Resources.{name}.DependsOn", ABSENT), f"{at}.AllocationId", ABSENT)
        base = put(base, f"{at}.ConnectivityType", "private")
        yield f"Resources.{name}", f"{at}.ConnectivityType", base


@mutates("CB015")
def gateway_made_public(template: Template) -> Iterator[Plant]:
    for name, at, base in private_gateways(template):
        yield Plant(base, at, "public", name)


@mutates("CB015", no_parameter=GONE)
def gateway_public_by_default(template: Template) -> Iterator[Plant]:
    for name, at, base in private_gateways(template):
        yield Plant(base, at, ABSENT, name)


@mutates("CB015")
def address_at_once(template: Template) -> Iterator[Plant]:
    if attached(template):
        base = with_resources(template, Address={"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}})
        yield Plant(base, ADDRESS, "i-0123456789abcdef0", "Resources.Address")


def ways(template: Template) -> dict[str, list[int]]:
    """Group -> places in its DependsOn of routes and associations."""
    return {
        group: [
            index
            for index, each in enumerate(get(template, f"Resources.{group}.DependsOn"))
            if template["Resources"][each]["Type"] in WAYS
        ]
        for group, _ in groups(template)
        if isinstance(get(template, f"Resources.{group}.DependsOn"), list)
    }


@mutates("CB016", no_if=DEPENDS_ON, no_parameter=GONE)
def route_not_awaited(template: Template) -> Iterator[Plant]:
    for group, places in ways(template).items():
        for index in places:
            yield Plant(template, f"Resources.{group}.DependsOn.{index}", ABSENT, f"Resources.{group}")


@mutates("CB016", no_parameter=STRUCTURE)
def into_subnet_without_way(template: Template) -> Iterator[Plant]:
    for group, places in ways(template).items():
        at = f"Resources.{group}.Properties.VPCZoneIdentifier"
        if places:
            base = put(template, f"Resources.{group}.DependsOn", [])
            base = put(base, at, ["subnet-0123456789abcdef0"])
            yield Plant(base, f"{at}.0", get(template, f"{at}.0"), f"Resources.{group}")
            yield Plant(base, at, get(template, at), f"Resources.{group}")


@mutates("CB016")
def way_made_default(template: Template) -> Iterator[Plant]:
    """The route that nobody waits for leads somewhere else, until it leads everywhere."""
    for group, places in ways(template).items():
        for index in places:
            route = get(template, f"Resources.{group}.DependsOn.{index}")
            if template["Resources"][route]["Type"] == "AWS::EC2::Route":
                at = f"Resources.{route}.Properties.DestinationCidrBlock"
                base = put(put(template, f"Resources.{group}.DependsOn.{index}", ABSENT), at, "10.9.0.0/16")
                yield Plant(base, at, "0.0.0.0/0", f"Resources.{group}")


def with_rule(template: Template, **rule: object) -> Iterator[tuple[str, Template]]:
    """For each security group the path of a rule, in it and by itself, and a template with that rule."""
    for name, _ in of(template, "AWS::EC2::SecurityGroup"):
        at = f"Resources.{name}.Properties.SecurityGroupIngress"
        given = {"Description": "From the office", **rule}
        yield f"{at}.0", put(template, at, [given])
        alone = {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": {"Ref": name}, **given}}
        yield "Resources.Rule.Properties", with_resources(template, Rule=alone)


@mutates("CB049")
def open_to_the_world(template: Template) -> Iterator[Plant]:
    for at, base in with_rule(template, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8"):
        yield Plant(base, f"{at}.CidrIp", "0.0.0.0/0", at)
    for at, base in with_rule(template, IpProtocol="tcp", FromPort=3389, ToPort=3389, CidrIpv6="fd00::/8"):
        yield Plant(base, f"{at}.CidrIpv6", "::/0", at)


@mutates("CB049")
def port_open_to_the_world(template: Template) -> Iterator[Plant]:
    for at, base in with_rule(template, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0"):
        yield Plant(base, f"{at}.FromPort", 22, at)
        yield Plant(base, f"{at}.ToPort", 3389, at)
    for at, base in with_rule(template, IpProtocol="udp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"):
        yield Plant(base, f"{at}.IpProtocol", "tcp", at)
        yield Plant(base, f"{at}.IpProtocol", "-1", at)


@mutates("CB049", no_parameter=GONE)
def ports_gone(template: Template) -> Iterator[Plant]:
    for at, base in with_rule(template, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="0.0.0.0/0"):
        yield Plant(base, f"{at}.FromPort", ABSENT, at)


@mutates("CB049", no_parameter=STRUCTURE)
def rule_open_to_the_world(template: Template) -> Iterator[Plant]:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    for name, _ in of(template, "AWS::EC2::SecurityGroup"):
        at = f"Resources.{name}.Properties.SecurityGroupIngress"
        base = put(template, at, [])
        yield Plant(base, f"{at}.0", rule, f"{at}.0")
        yield Plant(base, at, [rule], f"{at}.0")
