"""Networks: public and private subnets with their ways out, and what security groups are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, GetAtt, Ref, Sub, Tags, ec2

from .properties import given

# The assertion of a template rule, in CloudFormation's functions for rules alone.
SUBNETS_IN_VPC = {
    "Fn::EachMemberIn": [
        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "VpcId"]},
        {"Fn::RefAll": "AWS::EC2::VPC::Id"},
    ]
}
# EC2 opens a group that lists nothing for all that goes out, so one that lets nothing out has to list this.
NOTHING_OUT = ec2.SecurityGroupRule(
    CidrIp="127.0.0.1/32", Description="Nothing by this group", IpProtocol="-1"
)


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where things go: lists of subnets, or the parameter that is one.

    `public_ready` and `private_ready` are what a subnet's users need before they start.
    """

    others: tuple[AWSObject, ...] = ()
    vpc_id: AWSHelperFn
    public_subnet_ids: Any
    private_subnet_ids: Any
    public_ready: tuple[AWSObject, ...] = ()
    private_ready: tuple[AWSObject, ...] = ()


@dataclass(frozen=True)
class NewSubnet:
    """A subnet to be made; its title ends with `Subnet`."""

    title: str
    cidr: str
    zone: AWSHelperFn


def new_network(cidr: str, public: Sequence[NewSubnet], private: Sequence[NewSubnet]) -> Network:
    """A VPC with an internet gateway, one NAT gateway for all private subnets, and a free way to S3."""
    vpc = ec2.VPC("Vpc", CidrBlock=cidr, EnableDnsSupport=True, EnableDnsHostnames=True, Tags=named("Vpc"))
    gateway = ec2.InternetGateway("InternetGateway", Tags=named("InternetGateway"))
    attachment = ec2.VPCGatewayAttachment(
        "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
    )
    public_subnets, private_subnets = ([_subnet(each, vpc) for each in kind] for kind in (public, private))
    address = ec2.EIP("NatEip", Domain="vpc", DependsOn=attachment.title, Tags=named("NatEip"))
    nat = ec2.NatGateway(
        "NatGateway",
        DependsOn=attachment.title,
        AllocationId=GetAtt(address, "AllocationId"),
        SubnetId=Ref(public_subnets[0]),
        Tags=named("NatGateway"),
    )
    public_table, private_table = (_route_table(kind, vpc) for kind in ("Public", "Private"))
    public_route = _route("Public", public_table, GatewayId=Ref(gateway), DependsOn=attachment.title)
    private_route = _route("Private", private_table, NatGatewayId=Ref(nat))
    endpoint = ec2.VPCEndpoint(
        "S3Endpoint",
        VpcEndpointType="Gateway",
        VpcId=Ref(vpc),
        ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
        RouteTableIds=[Ref(public_table), Ref(private_table)],
    )
    return Network(
        vpc_id=Ref(vpc),
        public_subnet_ids=[Ref(each) for each in public_subnets],
        private_subnet_ids=[Ref(each) for each in private_subnets],
        public_ready=(public_route, *_associations(public, public_table)),
        private_ready=(private_route, *_associations(private, private_table)),
        others=(
            vpc,
            gateway,
            attachment,
            *public_subnets,
            *private_subnets,
            address,
            nat,
            public_table,
            private_table,
            endpoint,
        ),
    )


def rule(first: int, last: int, description: str, **more: Any) -> ec2.SecurityGroupRule:
    """A rule for ports, of TCP unless `more` says otherwise."""
    settings = {"IpProtocol": "tcp"} | more
    return ec2.SecurityGroupRule(Description=description, FromPort=first, ToPort=last, **settings)


def name_rules() -> list[ec2.SecurityGroupRule]:
    """Questions for names, to whatever resolver a network has. Groups do not filter Amazon's own."""
    return [rule(53, 53, "Names", IpProtocol=each, CidrIp="0.0.0.0/0") for each in ("udp", "tcp")]


def named(what: str) -> Tags:
    """A Name tag: the stack and what it is."""
    return Tags(Name=Sub(f"${{AWS::StackName}}-{what}"))


def waiting(ready: Sequence[AWSObject]) -> dict[str, Any]:
    """DependsOn, for what may not start before these exist."""
    return given(DependsOn=[each.title for each in ready] or None)


def _subnet(new: NewSubnet, vpc: ec2.VPC) -> ec2.Subnet:
    return ec2.Subnet(
        new.title,
        VpcId=Ref(vpc),
        CidrBlock=new.cidr,
        AvailabilityZone=new.zone,
        MapPublicIpOnLaunch=False,
        Tags=named(new.title),
    )


def _route_table(kind: str, vpc: ec2.VPC) -> ec2.RouteTable:
    return ec2.RouteTable(f"{kind}RouteTable", VpcId=Ref(vpc), Tags=named(f"{kind}RouteTable"))


def _route(kind: str, table: ec2.RouteTable, **target: Any) -> ec2.Route:
    return ec2.Route(f"{kind}Route", RouteTableId=Ref(table), DestinationCidrBlock="0.0.0.0/0", **target)


def _associations(
    subnets: Sequence[NewSubnet], table: ec2.RouteTable
) -> list[ec2.SubnetRouteTableAssociation]:
    return [
        ec2.SubnetRouteTableAssociation(
            f"{each.title.removesuffix('Subnet')}RouteTableAssociation",
            RouteTableId=Ref(table),
            SubnetId=Ref(each.title),
        )
        for each in subnets
    ]
