"""The network of a cluster: a public and a private subnet in one zone or the ones that exist, and its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from troposphere import AWSHelperFn, GetAtt, Ref, Sub, Tags, ec2

from ..blocks.ingress import Ingress
from ..blocks.network import NOTHING_OUT, Network, NewSubnet, name_rules, named, new_network, rule
from ..blocks.properties import given

_VPC, _PUBLIC, _PRIVATE = "10.0.0.0/16", "10.0.0.0/24", "10.0.128.0/17"

# The assertion of a template rule, in CloudFormation's functions for rules alone.
SUBNETS_IN_ONE_ZONE = {
    "Fn::EachMemberEquals": [
        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "AvailabilityZone"]},
        {"Fn::ValueOf": ["PrivateSubnetId", "AvailabilityZone"]},
    ]
}


def one_zone_network(zone: AWSHelperFn) -> Network:
    """A public and a private subnet in one zone: both in that of the first, even where AWS chose it."""
    public = NewSubnet("PublicSubnet", _PUBLIC, zone)
    private = NewSubnet("PrivateSubnet", _PRIVATE, GetAtt(public.title, "AvailabilityZone"))
    return new_network(_VPC, [public], [private])


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
    group = ec2.SecurityGroup(
        "ClusterSecurityGroup",
        GroupDescription="Nodes of the cluster, free among themselves",
        VpcId=vpc_id,
        SecurityGroupEgress=[
            *(rule(first, last, f"Downloads, {words}", CidrIp="0.0.0.0/0") for first, last, words in ports),
            *(name_rules() if own_resolvers else []),
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
    ssh = [rule(22, 22, "SSH", CidrIp=ssh_location)] if ssh_location is not None else []
    return ec2.SecurityGroup(
        "AdminSecurityGroup",
        GroupDescription="Connections to the master from outside the cluster",
        VpcId=vpc_id,
        SecurityGroupIngress=[*ssh, *(each.rule() for each in ingress)],
        SecurityGroupEgress=[NOTHING_OUT],
        Tags=named("Admin"),
    )


def endpoint(service: str, title: str, net: Network, group: ec2.SecurityGroup) -> ec2.VPCEndpoint:
    """A private way to one AWS API from the public subnet, for an instance that has no public address yet."""
    return ec2.VPCEndpoint(
        title,
        VpcEndpointType="Interface",
        VpcId=net.vpc_id,
        ServiceName=Sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
        SubnetIds=net.public_subnet_ids,
        SecurityGroupIds=[Ref(group)],
        PrivateDnsEnabled=True,
    )


def master_address(net: Network) -> ec2.EIP:
    """The master's address, which a replaced master takes over when it boots."""
    after = [each.title for each in net.others if isinstance(each, ec2.VPCGatewayAttachment)]
    tags = Tags(Cluster=Sub("${AWS::StackName}")) + named("Master")
    return ec2.EIP("MasterEip", Domain="vpc", Tags=tags, **given(DependsOn=after or None))
