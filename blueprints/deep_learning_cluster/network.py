"""The network of a cluster: a public and a private subnet in one zone or the ones that exist, and its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, GetAtt, Ref, Sub, Tags, ec2

from ..blocks.ingress import Ingress
from ..blocks.properties import given

_VPC, _PUBLIC, _PRIVATE = "10.0.0.0/16", "10.0.0.0/24", "10.0.128.0/17"

# Assertions of template rules, in CloudFormation's functions for rules alone.
SUBNETS_IN_VPC = {
    "Fn::EachMemberIn": [
        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "VpcId"]},
        {"Fn::RefAll": "AWS::EC2::VPC::Id"},
    ]
}
SUBNETS_IN_ONE_ZONE = {
    "Fn::EachMemberEquals": [
        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "AvailabilityZone"]},
        {"Fn::ValueOf": ["PrivateSubnetId", "AvailabilityZone"]},
    ]
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where nodes go. `public_ready` and `private_ready` are what a subnet's instances need before they boot."""

    others: tuple[AWSObject, ...] = ()
    vpc_id: AWSHelperFn
    public_subnet_id: AWSHelperFn
    private_subnet_id: AWSHelperFn
    public_ready: tuple[AWSObject, ...] = ()
    private_ready: tuple[AWSObject, ...] = ()


def new_network(zone: AWSHelperFn) -> Network:
    """A VPC with a public and a private subnet in `zone`, a NAT gateway and a free way to S3."""
    vpc = ec2.VPC("Vpc", CidrBlock=_VPC, EnableDnsSupport=True, EnableDnsHostnames=True, Tags=named("Vpc"))
    gateway = ec2.InternetGateway("InternetGateway", Tags=named("InternetGateway"))
    attachment = ec2.VPCGatewayAttachment(
        "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
    )
    public = _subnet("PublicSubnet", vpc, _PUBLIC, zone)
    # A reference, so that both subnets share a zone even where AWS chose it.
    private = _subnet("PrivateSubnet", vpc, _PRIVATE, GetAtt(public, "AvailabilityZone"))
    address = ec2.EIP("NatEip", Domain="vpc", DependsOn=attachment.title, Tags=named("NatEip"))
    nat = ec2.NatGateway(
        "NatGateway",
        DependsOn=attachment.title,
        AllocationId=GetAtt(address, "AllocationId"),
        SubnetId=Ref(public),
        Tags=named("NatGateway"),
    )
    public_table, public_association = _route_table("Public", vpc, public)
    private_table, private_association = _route_table("Private", vpc, private)
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
        RouteTableIds=[Ref(public_table), Ref(private_table)],
    )
    return Network(
        vpc_id=Ref(vpc),
        public_subnet_id=Ref(public),
        private_subnet_id=Ref(private),
        public_ready=(public_route, public_association),
        private_ready=(private_route, private_association),
        others=(
            vpc,
            gateway,
            attachment,
            public,
            private,
            address,
            nat,
            public_table,
            private_table,
            endpoint,
        ),
    )


@dataclass(frozen=True)
class ClusterGroup:
    """The group of all nodes and their file system, with everything among themselves."""

    group: ec2.SecurityGroup
    inward: ec2.SecurityGroupIngress
    outward: ec2.SecurityGroupEgress


def cluster_group(vpc_id: AWSHelperFn, *, proxy: bool, own_resolvers: bool) -> ClusterGroup:
    """One group, all protocols to and from itself: EFA wants the same group on both ends.

    Out to the internet goes what downloads need; any TCP port where a proxy's is only known at deploy. Groups do
    not filter Amazon's own resolver; a network that exists may have others.
    """
    ports = [(1, 65535, "to the proxy")] if proxy else [(80, 80, "HTTP"), (443, 443, "HTTPS")]
    names = [_rule(53, 53, "Names", IpProtocol=protocol, CidrIp="0.0.0.0/0") for protocol in ("udp", "tcp")]
    group = ec2.SecurityGroup(
        "ClusterSecurityGroup",
        GroupDescription="Nodes of the cluster, free among themselves",
        VpcId=vpc_id,
        SecurityGroupEgress=[
            *(_rule(first, last, f"Downloads, {words}", CidrIp="0.0.0.0/0") for first, last, words in ports),
            *(names if own_resolvers else []),
        ],
        Tags=named("Cluster"),
    )
    inward = ec2.SecurityGroupIngress(
        "ClusterSecurityGroupIngress",
        GroupId=Ref(group),
        SourceSecurityGroupId=Ref(group),
        IpProtocol="-1",
        Description="From every node",
    )
    outward = ec2.SecurityGroupEgress(
        "ClusterSecurityGroupEgress",
        GroupId=Ref(group),
        DestinationSecurityGroupId=Ref(group),
        IpProtocol="-1",
        Description="To every node",
    )
    return ClusterGroup(group, inward, outward)


def admin_group(
    vpc_id: AWSHelperFn, ssh_location: AWSHelperFn | None, ingress: Sequence[Ingress]
) -> ec2.SecurityGroup:
    """Who may connect to the master from outside the cluster. What goes out, the cluster's group says."""
    ssh = [_rule(22, 22, "SSH", CidrIp=ssh_location)] if ssh_location is not None else []
    nothing = ec2.SecurityGroupRule(
        CidrIp="127.0.0.1/32", Description="Nothing by this group", IpProtocol="-1"
    )
    return ec2.SecurityGroup(
        "AdminSecurityGroup",
        GroupDescription="Connections to the master from outside the cluster",
        VpcId=vpc_id,
        SecurityGroupIngress=[*ssh, *(each.rule() for each in ingress)],
        SecurityGroupEgress=[nothing],
        Tags=named("Admin"),
    )


def endpoint(service: str, title: str, network: Network, group: ec2.SecurityGroup) -> ec2.VPCEndpoint:
    """A private way to one AWS API from the public subnet, for an instance that has no public address yet."""
    return ec2.VPCEndpoint(
        title,
        VpcEndpointType="Interface",
        VpcId=network.vpc_id,
        ServiceName=Sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
        SubnetIds=[network.public_subnet_id],
        SecurityGroupIds=[Ref(group)],
        PrivateDnsEnabled=True,
    )


def master_address(network: Network) -> ec2.EIP:
    """The master's address, which a replaced master takes over when it boots."""
    after = [each.title for each in network.others if isinstance(each, ec2.VPCGatewayAttachment)]
    tags = Tags(Cluster=Sub("${AWS::StackName}")) + named("Master")
    return ec2.EIP("MasterEip", Domain="vpc", Tags=tags, **given(DependsOn=after or None))


def _rule(first: int, last: int, description: str, **more: Any) -> ec2.SecurityGroupRule:
    settings = {"IpProtocol": "tcp"} | more
    return ec2.SecurityGroupRule(Description=description, FromPort=first, ToPort=last, **settings)


def _subnet(title: str, vpc: ec2.VPC, cidr: str, zone: AWSHelperFn) -> ec2.Subnet:
    return ec2.Subnet(
        title,
        VpcId=Ref(vpc),
        CidrBlock=cidr,
        AvailabilityZone=zone,
        MapPublicIpOnLaunch=False,
        Tags=named(title),
    )


def _route_table(
    kind: str, vpc: ec2.VPC, subnet: ec2.Subnet
) -> tuple[ec2.RouteTable, ec2.SubnetRouteTableAssociation]:
    table = ec2.RouteTable(f"{kind}RouteTable", VpcId=Ref(vpc), Tags=named(f"{kind}RouteTable"))
    association = ec2.SubnetRouteTableAssociation(
        f"{kind}RouteTableAssociation", RouteTableId=Ref(table), SubnetId=Ref(subnet)
    )
    return table, association


def named(what: str) -> Tags:
    """A Name tag: the stack and what it is."""
    return Tags(Name=Sub(f"${{AWS::StackName}}-{what}"))
