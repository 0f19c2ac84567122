"""The network of a cluster: public and private subnets in two zones, or the ones that exist, and its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, GetAtt, GetAZs, Ref, Select, Sub, Tags, ec2, iam, logs

from ..blocks.properties import given

_VPC = "10.5.0.0/16"
_PUBLIC, _PRIVATE = ("10.5.0.0/24", "10.5.1.0/24"), ("10.5.64.0/19", "10.5.96.0/19")

# In CloudFormation's functions for rules alone.
_IN_VPC = {
    "Fn::EachMemberIn": [
        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "VpcId"]},
        {"Fn::RefAll": "AWS::EC2::VPC::Id"},
    ]
}
SUBNET_RULES = {"Every subnet must belong to VpcId.": _IN_VPC}


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where things go. `public_ready` and `private_ready` are what a subnet's users need before they start."""

    others: tuple[AWSObject, ...] = ()
    vpc_id: AWSHelperFn
    public_subnet_ids: Any
    private_subnet_ids: Any
    public_ready: tuple[AWSObject, ...] = ()
    private_ready: tuple[AWSObject, ...] = ()


def new_network() -> Network:
    """A VPC over two zones, with one NAT gateway for both and a free way to S3."""
    vpc = ec2.VPC("Vpc", CidrBlock=_VPC, EnableDnsSupport=True, EnableDnsHostnames=True, Tags=named("Vpc"))
    gateway = ec2.InternetGateway("InternetGateway", Tags=named("InternetGateway"))
    attachment = ec2.VPCGatewayAttachment(
        "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
    )
    public = [_subnet(f"Public{zone + 1}Subnet", vpc, _PUBLIC[zone], zone) for zone in range(2)]
    private = [_subnet(f"Private{zone + 1}Subnet", vpc, _PRIVATE[zone], zone) for zone in range(2)]
    address = ec2.EIP("NatEip", Domain="vpc", DependsOn=attachment.title, Tags=named("NatEip"))
    nat = ec2.NatGateway(
        "NatGateway",
        DependsOn=attachment.title,
        AllocationId=GetAtt(address, "AllocationId"),
        SubnetId=Ref(public[0]),
        Tags=named("NatGateway"),
    )
    public_table = ec2.RouteTable("PublicRouteTable", VpcId=Ref(vpc), Tags=named("Public"))
    private_table = ec2.RouteTable("PrivateRouteTable", VpcId=Ref(vpc), Tags=named("Private"))
    public_route = ec2.Route(
        "PublicRoute",
        DependsOn=attachment.title,
        RouteTableId=Ref(public_table),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=Ref(gateway),
    )
    private_route = ec2.Route(
        "PrivateRoute",
        RouteTableId=Ref(private_table),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=Ref(nat),
    )
    endpoint = ec2.VPCEndpoint(
        "S3Endpoint",
        VpcEndpointType="Gateway",
        VpcId=Ref(vpc),
        ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
        RouteTableIds=[Ref(private_table)],
    )
    return Network(
        vpc_id=Ref(vpc),
        public_subnet_ids=[Ref(each) for each in public],
        private_subnet_ids=[Ref(each) for each in private],
        public_ready=(public_route, *_associations(public, public_table)),
        private_ready=(private_route, *_associations(private, private_table)),
        others=(
            vpc,
            gateway,
            attachment,
            *public,
            *private,
            address,
            nat,
            public_table,
            private_table,
            endpoint,
        ),
    )


def flow_log(vpc_id: AWSHelperFn, group: logs.LogGroup, role: iam.Role) -> ec2.FlowLog:
    """Which connections were taken and refused."""
    return ec2.FlowLog(
        "FlowLog",
        ResourceId=vpc_id,
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogDestination=GetAtt(group, "Arn"),
        DeliverLogsPermissionArn=GetAtt(role, "Arn"),
    )


@dataclass(frozen=True)
class Groups:
    """Security groups, and the rules between them, which are resources of their own so that none needs another."""

    balancer: ec2.SecurityGroup
    instance: ec2.SecurityGroup
    checker: ec2.SecurityGroup | None
    rules: tuple[AWSObject, ...]


def groups(vpc_id: AWSHelperFn, clients: AWSHelperFn, port: int, *, checked: bool) -> Groups:
    """The load balancer takes clients; instances take it, each other and whoever checks their tasks."""
    balancer = _group("BalancerSecurityGroup", "Load balancer of the portal", vpc_id, [])
    balancer.SecurityGroupIngress = [_rule(port, port, "Clients of the portal", CidrIp=clients)]
    out = [_rule(443, 443, "AWS and images", CidrIp="0.0.0.0/0")]
    out += [_rule(53, 53, "Names", IpProtocol=each, CidrIp="0.0.0.0/0") for each in ("udp", "tcp")]
    instance = _group("InstanceSecurityGroup", "Instances of the cluster", vpc_id, out)
    checker = None
    rules = [
        *_between("Balancer", balancer, instance, 32768, "Ports that Docker chooses"),
        *_between("Instance", instance, instance, 1024, "Services of each other"),
    ]
    if checked:
        checker = _group("CheckerSecurityGroup", "The function that asks tasks for their health", vpc_id, out)
        rules += _between("Checker", checker, instance, 1024, "Checks of services")
    return Groups(balancer, instance, checker, tuple(rules))


def _group(
    title: str, description: str, vpc_id: AWSHelperFn, out: Sequence[ec2.SecurityGroupRule]
) -> ec2.SecurityGroup:
    nothing = ec2.SecurityGroupRule(
        CidrIp="127.0.0.1/32", Description="Nothing by this group", IpProtocol="-1"
    )
    return ec2.SecurityGroup(
        title,
        GroupDescription=description,
        VpcId=vpc_id,
        SecurityGroupEgress=[*out] or [nothing],
        Tags=named(title.removesuffix("SecurityGroup")),
    )


def _between(
    name: str, source: ec2.SecurityGroup, target: ec2.SecurityGroup, first: int, words: str
) -> list[AWSObject]:
    common: dict[str, Any] = {
        "IpProtocol": "tcp",
        "FromPort": first,
        "ToPort": 65535,
        "Description": words,
    }
    return [
        ec2.SecurityGroupEgress(
            f"{name}SecurityGroupEgress",
            GroupId=Ref(source),
            DestinationSecurityGroupId=Ref(target),
            **common,
        ),
        ec2.SecurityGroupIngress(
            f"{name}SecurityGroupIngress", GroupId=Ref(target), SourceSecurityGroupId=Ref(source), **common
        ),
    ]


def _rule(first: int, last: int, description: str, **more: Any) -> ec2.SecurityGroupRule:
    settings = {"IpProtocol": "tcp"} | more
    return ec2.SecurityGroupRule(Description=description, FromPort=first, ToPort=last, **settings)


def _subnet(title: str, vpc: ec2.VPC, cidr: str, zone: int) -> ec2.Subnet:
    return ec2.Subnet(
        title,
        VpcId=Ref(vpc),
        CidrBlock=cidr,
        AvailabilityZone=Select(zone, GetAZs("")),
        MapPublicIpOnLaunch=False,
        Tags=named(title),
    )


def _associations(
    subnets: Sequence[ec2.Subnet], table: ec2.RouteTable
) -> list[ec2.SubnetRouteTableAssociation]:
    return [
        ec2.SubnetRouteTableAssociation(
            f"{each.title}RouteTableAssociation", RouteTableId=Ref(table), SubnetId=Ref(each)
        )
        for each in subnets
    ]


def named(what: str) -> Tags:
    """A Name tag: the stack and what it is."""
    return Tags(Name=Sub(f"${{AWS::StackName}}-{what}"))


def waiting(ready: Sequence[AWSObject]) -> dict[str, Any]:
    """DependsOn, for what may not start before these exist."""
    return given(DependsOn=[each.title for each in ready] or None)
