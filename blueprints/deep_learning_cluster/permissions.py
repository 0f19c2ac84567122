"""What a node may do: boot, keep its place in the registry, and as master take its address."""

from __future__ import annotations

from awacs import autoscaling, cloudformation, cloudwatch, dynamodb, ssm
from awacs import ec2 as ec2_actions
from awacs.aws import Action, Condition, ForAllValuesStringNotEquals, PolicyDocument, StringEquals
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, ec2, iam, logs
from troposphere import dynamodb as tables

from ..blocks import roles
from .agent.capacity import NAMESPACE
from .config import Gpus
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
    described = roles.allow_everywhere(
        ec2_actions.DescribeInstanceTypes,
        autoscaling.DescribeAutoScalingGroups,
        autoscaling.DescribeScalingActivities,
        because="none names a resource",
    )
    metrics = roles.allow_everywhere(
        cloudwatch.PutMetricData,
        because="the namespace bounds metrics",
        condition=Condition(StringEquals({"cloudwatch:namespace": NAMESPACE})),
    )
    granted = [
        roles.allow(cloudformation.SignalResource, on=Ref("AWS::StackId")),
        roles.allow(ssm.GetParameters, on=[roles.arn("ssm", "parameter", key_parameter), *runtime]),
        roles.write_logs(GetAtt(log_group, "Arn")),
        roles.allow(dynamodb.Scan, on=GetAtt(table, "Arn")),
        described,
        metrics,
        *([roles.decrypt(key, via="dynamodb")] if key is not None else []),
        *([roles.session_manager()] if sessions else []),
    ]
    return iam.ManagedPolicy(
        "NodeManagedPolicy",
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[each.statement() for each in granted]),
        Metadata=roles.reasons(granted),
    )


def node_role(
    kind: str, policy: iam.ManagedPolicy, table: tables.Table, address: ec2.EIP | None, gpus: Gpus
) -> iam.Role:
    """The role of one kind of node. Workers alone ask for changes, and write no item of the master's."""
    others = Condition(ForAllValuesStringNotEquals({"dynamodb:LeadingKeys": [_MASTER_SLOT]}))
    more, condition = ([dynamodb.GetItem], others) if kind == "Worker" else ([], None)
    granted = [roles.allow(dynamodb.UpdateItem, *more, on=GetAtt(table, "Arn"), condition=condition)]
    if address:
        granted.append(_take(address))
    changes = [autoscaling.SetInstanceHealth] * gpus.replace + [autoscaling.UpdateAutoScalingGroup] * bool(
        gpus.idle
    )
    if kind == "Master" and changes:
        granted.append(_scale(*changes))
    role = roles.role(f"{kind}Role", "ec2", granted)
    role.ManagedPolicyArns = [Ref(policy)]
    return role


def _scale(*changes: Action) -> roles.Grant:
    """Change this cluster's own groups; all of them have the tag."""
    own = Condition(StringEquals({"autoscaling:ResourceTag/Cluster": Ref("AWS::StackName")}))
    groups = roles.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName", "*")
    return roles.allow(*changes, on=groups, condition=own, wider_because="made later; the tag says which")


def _take(address: ec2.EIP) -> roles.Grant:
    """Associate this one address, with interfaces of this cluster's nodes alone; both have the tag."""
    taken = [
        roles.arn("ec2", "elastic-ip", GetAtt(address, "AllocationId")),
        roles.arn("ec2", "network-interface", "*"),
    ]
    own = Condition(StringEquals({"ec2:ResourceTag/Cluster": Ref("AWS::StackName")}))
    unborn = "made at launch; the tag says which"
    return roles.allow(ec2_actions.AssociateAddress, on=taken, condition=own, wider_because=unborn)
