"""Defects that tie a template to one region, one partition, or one other stack."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    SECTION,
    STRUCTURE,
    Plant,
    Template,
    before_script,
    get,
    launch_templates,
    mutates,
    of,
    put,
)

OPTIONAL = "what needs the third zone may stand in an arm: that is how the check is satisfied"
REPLACED = "a default with the number of an account is an example: whoever is elsewhere has another one"
FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")


@mutates("CB030")
def image_by_id(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        yield Plant(template, f"{data}.ImageId", "ami-0123456789abcdef0", f"{data}.ImageId")
        path, lines = before_script(template, data, "export IMAGE=ami-0123456789abcdef0")
        yield Plant(template, path, lines, data)


@mutates("CB030", no_if=SECTION, no_parameter=SECTION)
def image_of_mapping(template: Template) -> Iterator[Plant]:
    if any(launch_templates(template)):
        images = {"us-east-1": {"Id": "ami-0123456789abcdef0"}}
        yield Plant(template, "Mappings", {"Images": images}, "Mappings.Images")


@mutates("CB030", no_if=SECTION, no_parameter=SECTION)
def image_of_our_parameter(template: Template) -> Iterator[Plant]:
    for name, parameter in template["Parameters"].items():
        if "AWS::EC2::Image::Id" in parameter["Type"]:
            at = f"Parameters.{name}"
            given = {**parameter, "Type": "AWS::EC2::Image::Id", "Default": "ami-0123456789abcdef0"}
            yield Plant(template, at, given, f"{at}.Default")


@mutates("CB032")
def zone_by_name(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::EC2::Subnet"):
        at = f"Resources.{name}.Properties.AvailabilityZone"
        yield Plant(template, at, "us-east-1a", at)


@mutates("CB032", no_parameter=STRUCTURE)
def zone_by_letter(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::EC2::Subnet"):
        at = f"Resources.{name}.Properties.AvailabilityZone"
        yield Plant(template, at, {"Fn::Sub": "${AWS::Region}a"}, at)
        yield Plant(template, at, {"Fn::Join": ["", [{"Ref": "AWS::Region"}, "b"]]}, at)


@mutates("CB033", no_if=OPTIONAL)
def third_zone(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::EC2::Subnet"):
        at = f"Resources.{name}.Properties.AvailabilityZone"
        base = put(template, at, {"Fn::Select": [1, {"Fn::GetAZs": ""}]})
        yield Plant(base, f"{at}.Fn::Select.0", 2, at)
        yield Plant(base, f"{at}.Fn::Select.0", "3", at)


@mutates("CB034")
def partition_in_arn(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::IAM::Role"):
        at = f"Resources.{name}.Properties.Policies.0.PolicyDocument.Statement.0.Resource.0"
        yield Plant(template, at, "arn:aws:s3:::work", at)


@mutates("CB034", no_parameter=REPLACED)
def partition_in_arn_of_account(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, *FUNCTIONS):
        at = f"Resources.{name}.Properties.Layers"
        layer = "arn:aws:lambda:us-east-1:111122223333:layer:insights:21"
        yield Plant(put(template, at, []), f"{at}.0", layer, f"{at}.0")


@mutates("CB034", no_parameter=STRUCTURE)
def partition_in_substitution(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::IAM::Role"):
        at = f"Resources.{name}.Properties.Policies.0.PolicyDocument.Statement.0.Resource.0"
        yield Plant(template, at, {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:work"}, at)
    for name in template["Outputs"]:
        at = f"Outputs.{name}.Value"
        yield Plant(template, at, {"Fn::Sub": "arn:aws:s3:::${AWS::StackName}"}, at)


@mutates("CB035")
def host_in_script(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        lines = "export STORE=https://s3.$REGION.amazonaws.com"
        yield Plant(template, *before_script(template, data, lines), data)


@mutates("CB035")
def principal_of_partition(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::IAM::Role"):
        statement = f"Resources.{name}.Properties.AssumeRolePolicyDocument.Statement.0"
        at = f"{statement}.Principal.Service"
        yield Plant(template, at, "elasticmapreduce.amazonaws.com", at)


@mutates("CB035", no_parameter=STRUCTURE)
def host_in_output(template: Template) -> Iterator[Plant]:
    for name in template["Outputs"]:
        at = f"Outputs.{name}.Value"
        yield Plant(template, at, {"Fn::Sub": "https://s3.${AWS::Region}.amazonaws.com"}, at)


@mutates("CB036", no_if=SECTION, no_parameter=STRUCTURE)
def output_exported(template: Template) -> Iterator[Plant]:
    for name in template["Outputs"]:
        at = f"Outputs.{name}.Export"
        yield Plant(template, at, {"Name": {"Fn::Sub": "${AWS::StackName}-" + name}}, at)


@mutates("CB036", no_parameter=STRUCTURE)
def value_imported(template: Template) -> Iterator[Plant]:
    for name in template["Outputs"]:
        at = f"Outputs.{name}.Value"
        yield Plant(template, at, {"Fn::ImportValue": "network-vpc"}, at)
    for name, resource in template["Resources"].items():
        for key in sorted(resource.get("Properties", {}))[:1]:
            at = f"Resources.{name}.Properties.{key}"
            if get(template, at):
                yield Plant(template, at, {"Fn::ImportValue": "network-vpc"}, at)
