"""Roles, policies, keys and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..creator import Client, New, creates
from ..resolver import Physical


def _versioned(document: Mapping[str, Any]) -> dict[str, Any]:
    """A policy as moto takes it, which refuses all versions but one; IAM takes 2008-10-17 too, and none as that.

    SAM's policy templates write none. The two differ in policy variables, which moto does not evaluate.
    """
    return {**document, "Version": "2012-10-17"}


def _role(client: Client, physical: Physical) -> Any:
    return client("iam").get_role(RoleName=physical.ref)["Role"]


@creates("AWS::IAM::Role", attributes=("Arn", "RoleId"), exists=_role)
def role(new: New) -> Physical:
    """A role with its inline policies and the managed ones that it is given."""
    name, inline, managed = (
        new.name("RoleName", 64),
        new.get("Policies", []),
        new.get("ManagedPolicyArns", []),
    )
    tags = new.tags() or None
    made = new.call("iam", "create_role", RoleName=name, Tags=tags, **new.rest())["Role"]
    for each in inline:
        document = _versioned(each["PolicyDocument"])
        new.call("iam", "put_role_policy", RoleName=name, **{**each, "PolicyDocument": document})
    for arn in managed:
        new.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
    return Physical(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def _policy(client: Client, physical: Physical) -> Any:
    ask = client("iam").get_role_policy
    return all(ask(RoleName=each, PolicyName=physical.ref) for each in physical.attributes["Roles"])


@creates("AWS::IAM::Policy", exists=_policy)
def policy(new: New) -> Physical:
    """An inline policy in several roles; users and groups are refused, since no blueprint has them."""
    name, document, roles = new.get("PolicyName"), _versioned(new.get("PolicyDocument")), new.get("Roles", [])
    for each in roles:
        new.call("iam", "put_role_policy", RoleName=each, PolicyName=name, PolicyDocument=document)
    return Physical(name, {"Roles": roles})


def _managed_policy(client: Client, physical: Physical) -> Any:
    return client("iam").get_policy(PolicyArn=physical.ref)["Policy"]


@creates("AWS::IAM::ManagedPolicy", attributes=("PolicyArn",), exists=_managed_policy)
def managed_policy(new: New) -> Physical:
    """A policy of its own, attached to roles."""
    name, roles = new.name("ManagedPolicyName", 128), new.get("Roles", [])
    document = _versioned(new.get("PolicyDocument"))
    made = new.call("iam", "create_policy", PolicyName=name, PolicyDocument=document, **new.rest())
    arn = made["Policy"]["Arn"]
    for each in roles:
        new.call("iam", "attach_role_policy", RoleName=each, PolicyArn=arn)
    return Physical(arn, {"PolicyArn": arn})


def _instance_profile(client: Client, physical: Physical) -> Any:
    return client("iam").get_instance_profile(InstanceProfileName=physical.ref)["InstanceProfile"]


@creates("AWS::IAM::InstanceProfile", attributes=("Arn",), exists=_instance_profile)
def instance_profile(new: New) -> Physical:
    """A profile with its role."""
    name, roles = new.name("InstanceProfileName", 128), new.get("Roles", [])
    made = new.call("iam", "create_instance_profile", InstanceProfileName=name, **new.rest())
    for each in roles:
        new.call("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=each)
    return Physical(name, {"Arn": made["InstanceProfile"]["Arn"]})


def _key(client: Client, physical: Physical) -> Any:
    return client("kms").describe_key(KeyId=physical.ref)["KeyMetadata"]


# A deployment is never deleted here, so nothing is pending.
@creates("AWS::KMS::Key", attributes=("Arn", "KeyId"), exists=_key, ignored=("PendingWindowInDays",))
def key(new: New) -> Physical:
    """A key, rotated if the template says so."""
    rotated, enabled = new.get("EnableKeyRotation"), new.get("Enabled", True)
    tags = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in new.tags()] or None
    settings = new.given("Description", "KeyUsage", "KeySpec", "MultiRegion", "Origin")
    made = new.call("kms", "create_key", Policy=new.get("KeyPolicy"), Tags=tags, **settings)["KeyMetadata"]
    if str(rotated).lower() == "true":
        new.call("kms", "enable_key_rotation", KeyId=made["KeyId"])
    if str(enabled).lower() == "false":
        new.call("kms", "disable_key", KeyId=made["KeyId"])
    return Physical(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


def _alias(client: Client, physical: Physical) -> Any:
    return [each for each in client("kms").list_aliases()["Aliases"] if each["AliasName"] == physical.ref]


@creates("AWS::KMS::Alias", exists=_alias)
def alias(new: New) -> Physical:
    """Another name of a key."""
    name = new.get("AliasName")
    new.call("kms", "create_alias", AliasName=name, TargetKeyId=new.get("TargetKeyId"))
    return Physical(name)


def _secret(client: Client, physical: Physical) -> Any:
    return client("secretsmanager").describe_secret(SecretId=physical.ref)["ARN"]


@creates("AWS::SecretsManager::Secret", attributes=("Id",), exists=_secret)
def secret(new: New) -> Physical:
    """A secret with the value that the template gives or has generated."""
    name, value, generate = new.name("Name"), new.get("SecretString"), new.get("GenerateSecretString")
    if generate is not None:
        value = _generated(new, dict(generate))
    tags = new.tags() or None
    arn = new.call("secretsmanager", "create_secret", Name=name, SecretString=value, Tags=tags, **new.rest())[
        "ARN"
    ]
    return Physical(arn, {"Id": arn})


def _generated(new: New, settings: dict[str, Any]) -> str:
    frame, name = settings.pop("SecretStringTemplate", None), settings.pop("GenerateStringKey", None)
    password = new.call("secretsmanager", "get_random_password", **settings)["RandomPassword"]
    return password if frame is None else json.dumps({**json.loads(frame), name: password})
