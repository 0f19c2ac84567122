"""Networks of EC2: each resource is one call or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..creator import Client, Exists, New, creates
from ..resolver import Physical


def _by_id(operation: str, parameter: str, answer: str) -> Exists:
    """Look up by id, as most operations of EC2 do it."""

    def exists(client: Client, physical: Physical) -> Any:
        return getattr(client("ec2"), operation)(**{parameter: [physical.ref]})[answer]

    return exists


def _tagged(new: New, kind: str) -> list[dict[str, Any]] | None:
    tags = new.tags()
    return [{"ResourceType": kind, "Tags": tags}] if tags else None


@creates(
    "AWS::EC2::VPC",
    attributes=("CidrBlock", "DefaultSecurityGroup", "VpcId"),
    exists=_by_id("describe_vpcs", "VpcIds", "Vpcs"),
)
def vpc(new: New) -> Physical:
    """A network with its DNS settings."""
    tags = _tagged(new, "vpc")
    names, support = new.get("EnableDnsHostnames"), new.get("EnableDnsSupport")
    made = new.call("ec2", "create_vpc", TagSpecifications=tags, **new.rest())["Vpc"]
    for key, value in (("EnableDnsHostnames", names), ("EnableDnsSupport", support)):
        if value is not None:
            new.call("ec2", "modify_vpc_attribute", VpcId=made["VpcId"], **{key: {"Value": value}})
    mine = [{"Name": "vpc-id", "Values": [made["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    default = new.client("ec2").describe_security_groups(Filters=mine)["SecurityGroups"][0]["GroupId"]
    attributes = {"CidrBlock": made["CidrBlock"], "DefaultSecurityGroup": default, "VpcId": made["VpcId"]}
    return Physical(made["VpcId"], attributes)


@creates(
    "AWS::EC2::Subnet",
    attributes=("AvailabilityZone", "CidrBlock", "SubnetId", "VpcId"),
    exists=_by_id("describe_subnets", "SubnetIds", "Subnets"),
)
def subnet(new: New) -> Physical:
    """A subnet, which may give public addresses to its instances."""
    tags, public = _tagged(new, "subnet"), new.get("MapPublicIpOnLaunch")
    made = new.call("ec2", "create_subnet", TagSpecifications=tags, **new.rest())["Subnet"]
    if public is not None:
        new.call(
            "ec2", "modify_subnet_attribute", SubnetId=made["SubnetId"], MapPublicIpOnLaunch={"Value": public}
        )
    keys = ("AvailabilityZone", "CidrBlock", "SubnetId", "VpcId")
    return Physical(made["SubnetId"], {key: made[key] for key in keys})


@creates(
    "AWS::EC2::InternetGateway",
    attributes=("InternetGatewayId",),
    exists=_by_id("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
)
def internet_gateway(new: New) -> Physical:
    """A gateway to the Internet."""
    made = new.call("ec2", "create_internet_gateway", TagSpecifications=_tagged(new, "internet-gateway"))
    found = made["InternetGateway"]["InternetGatewayId"]
    return Physical(found, {"InternetGatewayId": found})


def _attachment(client: Client, physical: Physical) -> Any:
    gateway = physical.attributes["InternetGatewayId"]
    return client("ec2").describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0][
        "Attachments"
    ]


@creates("AWS::EC2::VPCGatewayAttachment", exists=_attachment)
def attachment(new: New) -> Physical:
    """A gateway at a network."""
    gateway, network = new.get("InternetGatewayId"), new.get("VpcId")
    new.call("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=network)
    return Physical(f"IGW|{network}", {"InternetGatewayId": gateway})


@creates(
    "AWS::EC2::RouteTable",
    attributes=("RouteTableId",),
    exists=_by_id("describe_route_tables", "RouteTableIds", "RouteTables"),
)
def route_table(new: New) -> Physical:
    """A table of routes."""
    tags = _tagged(new, "route-table")
    found = new.call("ec2", "create_route_table", TagSpecifications=tags, **new.rest())["RouteTable"][
        "RouteTableId"
    ]
    return Physical(found, {"RouteTableId": found})


def _route(client: Client, physical: Physical) -> Any:
    table = physical.attributes["RouteTableId"]
    found = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    wanted = physical.attributes["CidrBlock"]
    return [
        each
        for each in found
        if wanted in (each.get("DestinationCidrBlock"), each.get("DestinationIpv6CidrBlock"))
    ]


@creates("AWS::EC2::Route", attributes=("CidrBlock",), exists=_route)
def route(new: New) -> Physical:
    """One route of a table."""
    table = new.get("RouteTableId")
    target = new.get("DestinationCidrBlock") or new.get("DestinationIpv6CidrBlock")
    block = {key: value for key, value in new.properties.items() if key.endswith("CidrBlock")}
    new.call("ec2", "create_route", RouteTableId=table, **block, **new.rest())
    return Physical(f"{table}|{target}", {"CidrBlock": target, "RouteTableId": table})


def _association(client: Client, physical: Physical) -> Any:
    mine = [{"Name": "association.route-table-association-id", "Values": [physical.ref]}]
    return client("ec2").describe_route_tables(Filters=mine)["RouteTables"]


@creates("AWS::EC2::SubnetRouteTableAssociation", attributes=("Id",), exists=_association)
def association(new: New) -> Physical:
    """A subnet's table of routes."""
    found = new.call("ec2", "associate_route_table", **new.rest())["AssociationId"]
    return Physical(found, {"Id": found})


@creates(
    "AWS::EC2::SecurityGroup",
    attributes=("GroupId", "VpcId"),
    exists=_by_id("describe_security_groups", "GroupIds", "SecurityGroups"),
)
def security_group(new: New) -> Physical:
    """A security group with the rules that stand in it. Rules for egress replace the one that lets all out."""
    name, words = new.name("GroupName"), new.get("GroupDescription")
    ingress, egress = new.get("SecurityGroupIngress", []), new.get("SecurityGroupEgress", [])
    network = new.get("VpcId")
    made = new.call("ec2", "create_security_group", GroupName=name, Description=words, VpcId=network,
                    TagSpecifications=_tagged(new, "security-group"))  # fmt: skip
    group = made["GroupId"]
    if egress:
        new.call(
            "ec2", "revoke_security_group_egress", GroupId=group, IpPermissions=[_permission(_EVERYWHERE)]
        )
    for rules, operation in ((ingress, "ingress"), (egress, "egress")):
        for each in rules:
            new.call(
                "ec2",
                f"authorize_security_group_{operation}",
                GroupId=group,
                IpPermissions=[_permission(each)],
            )
    return Physical(group, {"GroupId": group, "VpcId": network})


_EVERYWHERE = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}

# How a rule of a template names its other end, and where the API has that. API Reference, "IpPermission".
_OTHER_END = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}


def _permission(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as the template has it, in the form of the API."""
    done = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    unknown = rule.keys() - done.keys() - _OTHER_END.keys() - {"Description"}
    if unknown:
        raise ValueError(f"a rule with {', '.join(sorted(unknown))}; teach the creator")
    for key, (kind, name) in _OTHER_END.items():
        if key in rule:
            words = {"Description": rule["Description"]} if "Description" in rule else {}
            done[kind] = [{name: rule[key], **words}]
    return done


def _rule(client: Client, physical: Physical) -> Any:
    return client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[physical.ref])[
        "SecurityGroupRules"
    ]


def _separate_rule(direction: str) -> Callable[[New], Physical]:
    def create(new: New) -> Physical:
        """A rule beside its group."""
        group = new.get("GroupId")
        made = new.call(
            "ec2",
            f"authorize_security_group_{direction}",
            GroupId=group,
            IpPermissions=[_permission(new.rest())],
        )
        found = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Physical(found, {"Id": found})

    return create


creates("AWS::EC2::SecurityGroupIngress", attributes=("Id",), exists=_rule)(_separate_rule("ingress"))
creates("AWS::EC2::SecurityGroupEgress", attributes=("Id",), exists=_rule)(_separate_rule("egress"))


@creates(
    "AWS::EC2::EIP",
    attributes=("AllocationId", "PublicIp"),
    exists=lambda client, made: client("ec2").describe_addresses(PublicIps=[made.ref])["Addresses"],
)
def address(new: New) -> Physical:
    """A fixed public address. Ref gives the address itself."""
    made = new.call("ec2", "allocate_address", TagSpecifications=_tagged(new, "elastic-ip"), **new.rest())
    return Physical(made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]})


@creates(
    "AWS::EC2::NatGateway",
    attributes=("NatGatewayId",),
    exists=_by_id("describe_nat_gateways", "NatGatewayIds", "NatGateways"),
)
def nat_gateway(new: New) -> Physical:
    """A gateway that lets private subnets out."""
    tags = _tagged(new, "natgateway")
    found = new.call("ec2", "create_nat_gateway", TagSpecifications=tags, **new.rest())["NatGateway"][
        "NatGatewayId"
    ]
    return Physical(found, {"NatGatewayId": found})


@creates(
    "AWS::EC2::VPCEndpoint",
    attributes=("Id",),
    exists=_by_id("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
)
def endpoint(new: New) -> Physical:
    """A private way to a service of AWS; a gateway if nothing is said."""
    tags, kind = _tagged(new, "vpc-endpoint"), new.get("VpcEndpointType", "Gateway")
    made = new.call("ec2", "create_vpc_endpoint", VpcEndpointType=kind, TagSpecifications=tags, **new.rest())
    found = made["VpcEndpoint"]["VpcEndpointId"]
    return Physical(found, {"Id": found})
