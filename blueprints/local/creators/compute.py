"""Functions, state machines, launch templates and Auto Scaling groups."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from ..creator import Client, New, creates
from ..resolver import Physical
from ..stack import InlineCode


def _function(client: Client, physical: Physical) -> Any:
    return client("lambda").get_function_configuration(FunctionName=physical.ref)["FunctionArn"]


@creates("AWS::Lambda::Function", attributes=("Arn",), exists=_function)
def function(new: New) -> Physical:
    """The record of a function, for whoever asks the API about it. Its code is run by the function executor."""
    name, tags = new.name("FunctionName", 64), new.tag_map() or None
    new.get("Code")
    reserved = new.get("ReservedConcurrentExecutions")
    made = new.call("lambda", "create_function", FunctionName=name, Code={"ZipFile": _archive(new)}, Tags=tags,
                    **new.rest())  # fmt: skip
    if reserved is not None:
        new.call(
            "lambda", "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=reserved
        )
    return Physical(name, {"Arn": made["FunctionArn"]})


def _archive(new: New) -> bytes:
    """Inline code as Lambda unpacks it; an asset stays on disk, where the executor finds it."""
    code = new.stack.code(new.logical_id)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", code.text if isinstance(code, InlineCode) else "")
    return archive.getvalue()


def _state_machine(client: Client, physical: Physical) -> Any:
    return client("stepfunctions").describe_state_machine(stateMachineArn=physical.ref)["definition"]


@creates("AWS::StepFunctions::StateMachine", attributes=("Arn", "Name"), exists=_state_machine)
def state_machine(new: New) -> Physical:
    """A state machine; moto interprets it."""
    name, definition = new.name("StateMachineName", 80), new.stack.state_machine(new.logical_id)
    for each in ("DefinitionString", "Definition", "DefinitionSubstitutions"):
        new.get(each)
    tags, kind = new.tags() or None, new.get("StateMachineType")
    arn = new.call("stepfunctions", "create_state_machine", name=name, definition=json.dumps(definition), tags=tags,
                   type=kind, **new.rest())["stateMachineArn"]  # fmt: skip
    return Physical(arn, {"Arn": arn, "Name": name})


def _launch_template(client: Client, physical: Physical) -> Any:
    return client("ec2").describe_launch_templates(LaunchTemplateIds=[physical.ref])["LaunchTemplates"]


@creates(
    "AWS::EC2::LaunchTemplate",
    attributes=("DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId"),
    exists=_launch_template,
)
def launch_template(new: New) -> Physical:
    """A launch template in its first version."""
    name = new.name("LaunchTemplateName", 128)
    made = new.call("ec2", "create_launch_template", LaunchTemplateName=name, **new.rest())["LaunchTemplate"]
    versions = {"DefaultVersionNumber": "1", "LatestVersionNumber": "1"}
    return Physical(made["LaunchTemplateId"], {"LaunchTemplateId": made["LaunchTemplateId"], **versions})


def _group(client: Client, physical: Physical) -> Any:
    ask = client("autoscaling").describe_auto_scaling_groups
    return ask(AutoScalingGroupNames=[physical.ref])["AutoScalingGroups"]


@creates("AWS::AutoScaling::AutoScalingGroup", attributes=("AutoScalingGroupARN",), exists=_group)
def group(new: New) -> Physical:
    """A group; moto starts its instances at once."""
    name, subnets, tags = new.name("AutoScalingGroupName"), new.get("VPCZoneIdentifier"), new.get("Tags", [])
    metrics, left = new.get("MetricsCollection", []), {"NotificationConfigurations"}  # moto lacks the latter
    where = {"ResourceId": name, "ResourceType": "auto-scaling-group"}
    new.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName=name,
        VPCZoneIdentifier=",".join(subnets) if subnets else None,
        Tags=[{**where, **each} for each in tags] or None,
        **new.given(*(new.untouched - left)),
    )
    for each in metrics:
        new.call("autoscaling", "enable_metrics_collection", AutoScalingGroupName=name, **each)
    found = new.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return Physical(name, {"AutoScalingGroupARN": found["AutoScalingGroups"][0]["AutoScalingGroupARN"]})


def _hook(client: Client, physical: Physical) -> Any:
    ask = client("autoscaling").describe_lifecycle_hooks
    owner = physical.attributes["Group"]
    return ask(AutoScalingGroupName=owner, LifecycleHookNames=[physical.ref])["LifecycleHooks"]


@creates("AWS::AutoScaling::LifecycleHook", exists=_hook)
def lifecycle_hook(new: New) -> Physical:
    """A hook of a group."""
    name, owner = new.name("LifecycleHookName"), new.get("AutoScalingGroupName")
    new.call(
        "autoscaling", "put_lifecycle_hook", LifecycleHookName=name, AutoScalingGroupName=owner, **new.rest()
    )
    return Physical(name, {"Group": owner})


def _key_pair(client: Client, physical: Physical) -> Any:
    return client("ec2").describe_key_pairs(KeyNames=[physical.ref])["KeyPairs"]


@creates("AWS::EC2::KeyPair", attributes=("KeyFingerprint", "KeyPairId"), exists=_key_pair)
def key_pair(new: New) -> Physical:
    """A key pair. A key that is made here is put where CloudFormation puts it: /ec2/keypair/<id>.

    User Guide, "AWS::EC2::KeyPair": the private key is saved in Parameter Store when no public one is given.
    """
    name, public = new.get("KeyName"), new.get("PublicKeyMaterial")
    if public:
        made = new.call(
            "ec2", "import_key_pair", KeyName=name, PublicKeyMaterial=public.encode(), **new.rest()
        )
    else:
        made = new.call("ec2", "create_key_pair", KeyName=name, **new.rest())
        where = f"/ec2/keypair/{made['KeyPairId']}"
        new.call("ssm", "put_parameter", Name=where, Type="SecureString", Value=made["KeyMaterial"])
    return Physical(name, {"KeyFingerprint": made["KeyFingerprint"], "KeyPairId": made["KeyPairId"]})


def _placement_group(client: Client, physical: Physical) -> Any:
    return client("ec2").describe_placement_groups(GroupNames=[physical.ref])["PlacementGroups"]


@creates("AWS::EC2::PlacementGroup", attributes=("GroupName",), exists=_placement_group)
def placement_group(new: New) -> Physical:
    """A placement group, by the stand-in."""
    name = new.place.physical_name(new.logical_id)
    new.call("ec2", "create_placement_group", GroupName=name, **new.rest())
    return Physical(name, {"GroupName": name})
