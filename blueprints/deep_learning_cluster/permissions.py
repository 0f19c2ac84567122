"""What a node may do: boot, keep its place in the registry, and as master take its address."""

from __future__ import annotations

from collections.abc import Sequence

from awacs import cloudformation, dynamodb, ssm
from awacs import ec2 as ec2_actions
from awacs.aws import Condition, ForAllValuesStringNotEquals, PolicyDocument, StringEquals
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, ec2, iam, logs
from troposphere import dynamodb as tables

from ..blocks import roles
from .membership import Carriers

_MASTER_SLOT = "1"


def node_policy(
    key_parameter: Sub,
    carriers: Carriers,
    log_group: logs.LogGroup,
    table: tables.Table,
    key: AWSHelperFn | None,
    *,
    sessions: bool,
) -> iam.ManagedPolicy:
    """What nodes of both kinds may do: one policy, since their roles are much alike."""
    runtime = [roles.arn("ssm", "parameter", f"${{{each.title}}}") for each in carriers.parts]
    types = roles.allow_everywhere(
        ec2_actions.DescribeInstanceTypes,
        because="Instance types are no resources; a node without a driver asks how many GPUs its type has",
    )
    granted = [
        roles.allow(cloudformation.SignalResource, on=Ref("AWS::StackId")),
        roles.allow(ssm.GetParameters, on=[roles.arn("ssm", "parameter", key_parameter), *runtime]),
        roles.write_logs(GetAtt(log_group, "Arn")),
        roles.allow(dynamodb.GetItem, dynamodb.Scan, on=GetAtt(table, "Arn")),
        types,
        *([roles.decrypt(key, via="dynamodb")] if key is not None else []),
        *([roles.session_manager()] if sessions else []),
    ]
    return iam.ManagedPolicy(
        "NodeManagedPolicy",
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[each.statement() for each in granted]),
        Metadata={"AllowedEverywhere": _reasons(granted)},
    )


def node_role(kind: str, policy: iam.ManagedPolicy, table: tables.Table, address: ec2.EIP | None) -> iam.Role:
    """The role of one kind of node. Workers write no item of the master's slot."""
    others = Condition(ForAllValuesStringNotEquals({"dynamodb:LeadingKeys": [_MASTER_SLOT]}))
    condition = None if kind == "Master" else others
    granted = [roles.allow(dynamodb.UpdateItem, on=GetAtt(table, "Arn"), condition=condition)]
    if address:
        granted.append(_take(address))
    role = roles.role(f"{kind}Role", "ec2", granted)
    role.ManagedPolicyArns = [Ref(policy)]
    return role


def _reasons(granted: Sequence[roles.Grant]) -> list[dict[str, object]]:
    return [
        {"Actions": [action.JSONrepr() for action in each.actions], "Because": each.because}
        for each in granted
        if each.because
    ]


def _take(address: ec2.EIP) -> roles.Grant:
    """Associate this one address, with this cluster's nodes alone; all of them have the tag."""
    taken = [
        roles.arn("ec2", "elastic-ip", GetAtt(address, "AllocationId")),
        roles.arn("ec2", "instance", "*"),
        roles.arn("ec2", "network-interface", "*"),
    ]
    own = Condition(StringEquals({"ec2:ResourceTag/Cluster": Ref("AWS::StackName")}))
    return roles.allow(ec2_actions.AssociateAddress, on=taken, condition=own)
