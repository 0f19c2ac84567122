"""Defects of physical names."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import ABSENT, STRUCTURE, Plant, Template, get, mutates, of, put

NAMES = {
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::EC2::KeyPair": "KeyName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Serverless::Function": "FunctionName",
}
GLOBAL = ("AWS::IAM::InstanceProfile", "AWS::IAM::Role")


def named(template: Template, *types: str) -> Iterator[str]:
    """Paths of the names of these types."""
    for name, resource in of(template, *types):
        yield f"Resources.{name}.Properties.{NAMES[resource['Type']]}"


@mutates("CB019")
def name_of_its_own(template: Template) -> Iterator[Plant]:
    """Each type's first; a key pair has a name already."""
    for kind in NAMES:
        for at in [*named(template, kind)][:1]:
            base = template if get(template, at) is ABSENT else put(template, at, ABSENT)
            yield Plant(base, at, "nodes", at)


@mutates("CB019", no_parameter=STRUCTURE)
def name_of_region(template: Template) -> Iterator[Plant]:
    for at in named(template, *GLOBAL):
        yield Plant(template, at, {"Fn::Sub": "nodes-${AWS::Region}"}, at)


@mutates("CB020", no_parameter=STRUCTURE)
def name_of_stack(template: Template) -> Iterator[Plant]:
    for at in named(template, *GLOBAL):
        yield Plant(template, at, {"Fn::Sub": "${AWS::StackName}-nodes"}, at)
        yield Plant(template, at, {"Ref": "AWS::StackName"}, at)
        yield Plant(template, at, {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "nodes"]]}, at)


@mutates("CB020")
def region_gone_from_name(template: Template) -> Iterator[Plant]:
    for at in named(template, *GLOBAL):
        parts = ["nodes", {"Ref": "AWS::StackName"}, {"Ref": "AWS::Region"}]
        base = put(template, at, {"Fn::Join": ["-", parts]})
        yield Plant(base, f"{at}.Fn::Join.1.2", "main", at)
