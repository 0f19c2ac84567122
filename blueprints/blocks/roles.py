"""Roles with the least they need. Actions are awacs names, so that a misspelt one fails on import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from awacs import kms, logs, ssm, ssmmessages, sts
from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, iam

from .properties import given

Arn = str | AWSHelperFn

_SHORTEST_REASON = 20


@dataclass(frozen=True)
class Grant:
    """Actions that a role may use, and on what.

    `because` explains a grant on every resource, `wider_because` a pattern where a run shows one name, and
    `unused_because` a grant that no run uses.
    """

    actions: tuple[Action, ...]
    resources: tuple[Arn, ...]
    condition: Condition | None = None
    because: str = ""
    wider_because: str = ""
    unused_because: str = ""

    def statement(self) -> Statement:
        """The grant as a policy statement."""
        actions, resources = list(self.actions), list(self.resources)
        return Statement(Effect=Allow, Action=actions, Resource=resources, **given(Condition=self.condition))


def allow(
    *actions: Action,
    on: Arn | Sequence[Arn],
    condition: Condition | None = None,
    wider_because: str | None = None,
    unused_because: str | None = None,
) -> Grant:
    """Allow actions on the resources named.

    A proof of least privilege fails for a pattern that its run does not need, and for a grant that it does not use,
    unless the template says why: there is no name to write yet, a run does not get there.
    """
    resources = (on,) if isinstance(on, (str, AWSHelperFn)) else tuple(on)
    for reason in (wider_because, unused_because):
        if reason is not None and len(reason) < _SHORTEST_REASON:
            raise ValueError(f"{reason!r} explains nothing; say why the run does not need what is allowed")
    return Grant(
        actions, resources, condition, wider_because=wider_because or "", unused_because=unused_because or ""
    )


def allow_everywhere(*actions: Action, because: str, condition: Condition | None = None) -> Grant:
    """Allow actions that IAM cannot limit to a resource. The only way to `*`; the reason stands in the template."""
    if len(because) < _SHORTEST_REASON:
        raise ValueError(f"because={because!r} explains nothing; say why the actions cannot name a resource")
    return Grant(actions, ("*",), condition, because)


def role(title: str, service: str, grants: Sequence[Grant]) -> iam.Role:
    """A role for one AWS service (`lambda`, `ec2`) with one inline policy."""
    return iam.Role(
        title,
        AssumeRolePolicyDocument=_trust(service),
        Policies=[iam.Policy(PolicyName="Permissions", PolicyDocument=_policy(grants))],
        **given(Metadata=reasons(grants) or None),
    )


def reasons(grants: Sequence[Grant]) -> dict[str, Any]:
    """What the Metadata of a role, or of a policy of its own, says of its grants."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in grants:
        actions = [action.JSONrepr() for action in each.actions]
        if each.because:
            found.setdefault("AllowedEverywhere", []).append({"Actions": actions, "Because": each.because})
        if each.wider_because:
            on = [resource for resource in each.resources if "*" in _text(resource)]
            found.setdefault("AllowedWider", []).append({"On": on, "Because": each.wider_because})
        if each.unused_because:
            found.setdefault("AllowedUnused", []).append({"Actions": actions, "Because": each.unused_because})
    return found


def arn(service: str, kind: str, name: str | Sub | GetAtt) -> Sub:
    """The ARN of something in this account and region: `kind/name`, or `kind` and a name that begins with a slash."""
    text = _placeholder(name)
    path = f"{kind}{text}" if text.startswith("/") else f"{kind}/{text}"
    return Sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{path}")


def _text(resource: Arn) -> str:
    return resource if isinstance(resource, str) else str(resource.data)


def _placeholder(name: str | Sub | GetAtt) -> str:
    """What stands for a value inside Fn::Sub."""
    if isinstance(name, Sub):
        return str(name.data["Fn::Sub"])
    if isinstance(name, GetAtt):
        return f"${{{'.'.join(name.data['Fn::GetAtt'])}}}"
    return name


def instance_profile(title: str, instance_role: iam.Role) -> iam.InstanceProfile:
    """The profile through which instances hold a role."""
    return iam.InstanceProfile(title, Roles=[Ref(instance_role)])


def write_logs(group: AWSHelperFn | str) -> Grant:
    """Write to one log group that exists: no CreateLogGroup, so a deleted stack leaves no orphan behind."""
    return allow(logs.CreateLogStream, logs.PutLogEvents, on=group)


def session_manager() -> Grant:
    """What the agent of Systems Manager needs: sessions, and commands to the instance.

    Systems Manager User Guide, "Reference: ec2messages, ssmmessages, and other API operations": agents from 3.3.40.0
    on use ssmmessages alone.
    """
    return allow_everywhere(
        ssm.UpdateInstanceInformation,
        ssmmessages.CreateControlChannel,
        ssmmessages.CreateDataChannel,
        ssmmessages.OpenControlChannel,
        ssmmessages.OpenDataChannel,
        because="the agent's actions name no resource; each reaches the caller's own instance alone",
    )


def decrypt(key: AWSHelperFn | str, via: str) -> Grant:
    """Read what one service (`dynamodb`, `s3`) keeps under a customer managed key, through that service alone."""
    service = Sub(f"{via}.${{AWS::Region}}.${{AWS::URLSuffix}}")
    return allow(kms.Decrypt, on=key, condition=Condition(StringEquals({"kms:ViaService": service})))


def _policy(grants: Sequence[Grant]) -> PolicyDocument:
    return PolicyDocument(Version="2012-10-17", Statement=[grant.statement() for grant in grants])


def _trust(service: str) -> PolicyDocument:
    trusted = Principal(
        "Service", f"{service}.amazonaws.com" if service != "ec2" else Sub("ec2.${AWS::URLSuffix}")
    )
    statement = Statement(Effect=Allow, Action=[sts.AssumeRole], Principal=trusted)
    return PolicyDocument(Version="2012-10-17", Statement=[statement])
