"""The network of a cluster: public and private subnets in two zones, or the ones that exist, and its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from troposphere import AWSHelperFn, AWSObject, GetAtt, GetAZs, Ref, Select, ec2, iam, logs

from ..blocks.network import NOTHING_OUT, Network, NewSubnet, name_rules, named, new_network, rule

_VPC = "10.5.0.0/16"
_PUBLIC, _PRIVATE = ("10.5.0.0/24", "10.5.1.0/24"), ("10.5.64.0/19", "10.5.96.0/19")


def two_zone_network() -> Network:
    """A VPC over two zones."""
    return new_network(_VPC, _subnets("Public", _PUBLIC), _subnets("Private", _PRIVATE))


def _subnets(kind: str, cidrs: Sequence[str]) -> list[NewSubnet]:
    return [
        NewSubnet(f"{kind}{zone + 1}Subnet", cidr, Select(zone, GetAZs("")))
        for zone, cidr in enumerate(cidrs)
    ]


def flow_log(vpc_id: AWSHelperFn, group: logs.LogGroup, role: iam.Role) -> ec2.FlowLog:
    """Which connections were taken and refused."""
    return ec2.FlowLog(
        "FlowLog",
        ResourceId=vpc_id,
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=Ref(group),
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
    balancer.SecurityGroupIngress = [rule(port, port, "Clients of the portal", CidrIp=clients)]
    out = [rule(443, 443, "AWS and images", CidrIp="0.0.0.0/0"), *name_rules()]
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
    return ec2.SecurityGroup(
        title,
        GroupDescription=description,
        VpcId=vpc_id,
        SecurityGroupEgress=[*out] or [NOTHING_OUT],
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
