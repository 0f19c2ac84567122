"""Roles with the least they need. Actions are awacs names, so that a misspelt one fails on import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from awacs import kms, logs, sts
from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, iam

from .properties import given

Arn = str | AWSHelperFn


@dataclass(frozen=True)
class Grant:
    """Actions that a role may use, and on what. `because` explains a grant on every resource."""

    actions: tuple[Action, ...]
    resources: tuple[Arn, ...]
    condition: Condition | None = None
    because: str = ""

    def statement(self) -> Statement:
        """The grant as a policy statement."""
        actions, resources = list(self.actions), list(self.resources)
        return Statement(Effect=Allow, Action=actions, Resource=resources, **given(Condition=self.condition))


def allow(*actions: Action, on: Arn | Sequence[Arn], condition: Condition | None = None) -> Grant:
    """Allow actions on the resources named."""
    resources = (on,) if isinstance(on, (str, AWSHelperFn)) else tuple(on)
    return Grant(actions, resources, condition)


def allow_everywhere(*actions: Action, because: str, condition: Condition | None = None) -> Grant:
    """Allow actions that IAM cannot limit to a resource. The only way to `*`; the reason stands in the template."""
    if len(because) < 20:
        raise ValueError(f"because={because!r} explains nothing; say why the actions cannot name a resource")
    return Grant(actions, ("*",), condition, because)


def role(title: str, service: str, grants: Sequence[Grant]) -> iam.Role:
    """A role for one AWS service (`lambda`, `ec2`) with one inline policy."""
    reasons = [
        {"Actions": [action.JSONrepr() for action in grant.actions], "Because": grant.because}
        for grant in grants
        if grant.because
    ]
    return iam.Role(
        title,
        AssumeRolePolicyDocument=_trust(service),
        Policies=[iam.Policy(PolicyName="Permissions", PolicyDocument=_policy(grants))],
        **given(Metadata={"AllowedEverywhere": reasons} if reasons else None),
    )


def arn(service: str, kind: str, name: str | Sub | GetAtt) -> Sub:
    """The ARN of something in this account and region: `kind/name`, or `kind` and a name that begins with a slash."""
    text = _placeholder(name)
    path = f"{kind}{text}" if text.startswith("/") else f"{kind}/{text}"
    return Sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{path}")


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
