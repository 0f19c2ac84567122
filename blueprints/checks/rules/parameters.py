"""Parameters and outputs: what a user can give wrong, and what a reader must guess."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from ..check import Hit, at, check
from ..model import Model, Resource, arms, entries, function, nodes

# What a property takes a reference to, by its name, in whatever type of resource it stands
_TAKES = {
    "IamInstanceProfile": "AWS::IAM::InstanceProfile",
    "KeyName": "AWS::EC2::KeyPair",
    "SecurityGroupIds": "AWS::EC2::SecurityGroup",
    "SubnetId": "AWS::EC2::Subnet",
    "SubnetIds": "AWS::EC2::Subnet",
    "VPCZoneIdentifier": "AWS::EC2::Subnet",
    "VpcId": "AWS::EC2::VPC",
    "VpcSecurityGroupIds": "AWS::EC2::SecurityGroup",
}
_PARAMETER_TYPES = {
    "AWS::EC2::KeyPair": "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup": "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet": "AWS::EC2::Subnet::Id",
    "AWS::EC2::VPC": "AWS::EC2::VPC::Id",
}
# Ref gives a role's name, and these take nothing but its ARN
_ROLE_ARN = {"Role", "RoleARN", "RoleArn", "ServiceRoleArn"}
_TAKES_ROLE_ARN = (
    "AWS::AutoScaling::LifecycleHook",
    "AWS::CodeBuild::Project",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::CodePipeline::Pipeline",
    "AWS::EKS::Cluster",
    "AWS::Events::Rule",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::Function",
    "AWS::Pipes::Pipe",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Function",
    "AWS::StepFunctions::StateMachine",
)
_KEY_PAIRS = ("AWS::EC2::", "AWS::AutoScaling::")
_HASHED = re.compile(r"[0-9a-f]{32}")
_CUSTOM = ("Custom::", "AWS::CloudFormation::", "AWS::ServiceCatalog::")


@check(
    "CB055",
    "Parameter that takes anything",
    harm="A mistyped value is found twenty minutes later by a resource that fails, and the stack rolls back.",
    source="CloudFormation User Guide, 'CloudFormation template Parameters syntax'",
    remedy="give it AllowedValues, or AllowedPattern with ConstraintDescription, or an AWS-specific type",
    severity="warning",
    of_source=True,
)
def parameter_takes_anything(model: Model) -> Iterator[Hit]:
    for name, parameter in model.parameters.items():
        if "AllowedPattern" in parameter and "ConstraintDescription" not in parameter:
            yield Hit(("Parameters", name), "who breaks its pattern is not told what it wants")
        elif _HASHED.search(name):
            continue  # named by a tool, which gives it too
        elif parameter.get("Type") == "String" and not {"AllowedPattern", "AllowedValues"} & set(parameter):
            yield Hit(("Parameters", name), "it takes any text")


@check(
    "CB109",
    "Reference to something of another kind",
    harm="The service refuses the id during creation, after everything before it has been built.",
    source="CloudFormation Template Reference, 'Ref' and the return values of each resource type",
    remedy="refer to what the property names",
)
def reference_of_another_kind(model: Model) -> Iterator[Hit]:
    for resource in model.resources.values():
        if resource.type.startswith(_CUSTOM):
            continue
        for path, node in nodes(resource.raw_properties(), "Properties"):
            for name, value in entries(node).items():
                yield from _mismatch(model, resource, f"{path}.{name}", value)


def _mismatch(model: Model, resource: Resource, path: str, value: Any) -> Iterator[Hit]:
    name = path.rpartition(".")[2]
    wanted = _TAKES.get(name)
    if name == "KeyName" and not resource.type.startswith(_KEY_PAIRS):
        wanted = None
    for target in _references(value):
        found = _type(model, target)
        if name in _ROLE_ARN and resource.type in _TAKES_ROLE_ARN and found == "AWS::IAM::Role":
            yield Hit(at(resource.id, path), f"Ref gives the name of {target}, not its ARN")
        elif wanted and not _fits(wanted, found):
            yield Hit(at(resource.id, path), f"{target} is of type {found}")


def _references(value: Any) -> Iterator[str]:
    """The targets of Ref that a value consists of: itself, the elements of a list, the arms of an If."""
    for each in arms(value):
        if isinstance(each, list):
            for element in cast("list[Any]", each):
                yield from _references(element)
        name, argument = function(each)
        if name == "Ref":
            yield str(argument)


def _type(model: Model, name: str) -> str:
    """Type of a resource or a parameter; nothing for a pseudo parameter."""
    if name in model.resources:
        return model.resources[name].type
    return str(model.parameters.get(name, {}).get("Type", ""))


def _fits(wanted: str, found: str) -> bool:
    """Whether a type is the wanted one or says nothing about it, as text and custom resources do."""
    inner = re.sub(r"^(?:AWS::SSM::Parameter::Value<)?(?:List<)?([^<>]+)>*$", r"\1", found)
    if not inner.startswith("AWS::") or inner.startswith(_CUSTOM) or inner.startswith("AWS::SSM::"):
        return True
    return inner in (wanted, _PARAMETER_TYPES.get(wanted))


@check(
    "CB110",
    "Output without description",
    harm="Whoever reads the outputs, or wires them to another stack, must open the template to learn what each is.",
    source="CloudFormation User Guide, 'CloudFormation template Outputs syntax'",
    remedy="add a Description",
    severity="warning",
    of_source=True,
)
def output_without_description(model: Model) -> Iterator[Hit]:
    for name, output in model.section("Outputs").items():
        if not entries(output).get("Description"):
            yield Hit(("Outputs", name), "the output has no Description")
