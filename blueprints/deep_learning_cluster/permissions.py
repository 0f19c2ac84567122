"""What a node may do: say how its boot went, read the cluster's key, and as master take its address."""

from __future__ import annotations

from awacs import cloudformation, ssm, ssmmessages
from awacs import ec2 as ec2_actions
from awacs.aws import Condition, StringEquals
from troposphere import GetAtt, Ref, Sub, ec2, iam, logs

from ..blocks import roles


def node_role(
    kind: str, key_parameter: Sub, log_group: logs.LogGroup, address: ec2.EIP | None, *, sessions: bool
) -> iam.Role:
    """The role of one kind of node, with the actions of its boot and no other."""
    granted = [
        roles.allow(cloudformation.SignalResource, on=Ref("AWS::StackId")),
        roles.allow(ssm.GetParameter, on=roles.arn("ssm", "parameter", key_parameter)),
        roles.write_logs(GetAtt(log_group, "Arn")),
    ]
    if address:
        granted += _take(address)
    if sessions:
        granted.append(_session_manager())
    return roles.role(f"{kind}Role", "ec2", granted)


def _take(address: ec2.EIP) -> list[roles.Grant]:
    """Associate this one address, with this cluster's nodes alone."""
    action = ec2_actions.AssociateAddress
    nodes = [roles.arn("ec2", "instance", "*"), roles.arn("ec2", "network-interface", "*")]
    own = Condition(StringEquals({"ec2:ResourceTag/Cluster": Ref("AWS::StackName")}))
    return [
        roles.allow(action, on=roles.arn("ec2", "elastic-ip", GetAtt(address, "AllocationId"))),
        roles.allow(action, on=nodes, condition=own),
    ]


def _session_manager() -> roles.Grant:
    return roles.allow_everywhere(
        ssm.UpdateInstanceInformation,
        ssmmessages.CreateControlChannel,
        ssmmessages.CreateDataChannel,
        ssmmessages.OpenControlChannel,
        ssmmessages.OpenDataChannel,
        because="Session Manager's agent actions name no resource; each reaches the caller's own instance alone",
    )
