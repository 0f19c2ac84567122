"""Defects of parameters, outputs and references."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import ABSENT, GONE, SECTION, STRUCTURE, Plant, Template, get, mutates, of, put


@mutates("CB055", no_if=SECTION, no_parameter=SECTION)
def constraint_gone(template: Template) -> Iterator[Plant]:
    for name, parameter in template["Parameters"].items():
        for part in ("AllowedPattern", "AllowedValues"):
            if parameter["Type"] == "String" and part in parameter:
                yield Plant(template, f"Parameters.{name}.{part}", ABSENT, f"Parameters.{name}")
        if "AllowedPattern" in parameter:
            at = f"Parameters.{name}.ConstraintDescription"
            yield Plant(template, at, ABSENT, f"Parameters.{name}")


@mutates("CB055", no_if=SECTION, no_parameter=SECTION)
def text_of_any_kind(template: Template) -> Iterator[Plant]:
    yield Plant(template, "Parameters.Note", {"Type": "String", "Default": "x"}, "Parameters.Note")


@mutates("CB109", no_parameter=STRUCTURE)
def subnet_elsewhere(template: Template) -> Iterator[Plant]:
    """Where a network, a subnet or a security group is named, each of another kind."""
    for name, resource in template["Resources"].items():
        at = f"Resources.{name}.Properties"
        if get(template, f"{at}.VpcId.Ref") in template["Resources"]:
            yield Plant(template, f"{at}.VpcId", {"Ref": name}, f"{at}.VpcId")
        if get(template, f"{at}.SubnetId.Ref") in template["Resources"]:
            yield Plant(template, f"{at}.SubnetId", {"Ref": name}, f"{at}.SubnetId")
        if resource["Type"] == "AWS::AutoScaling::AutoScalingGroup":
            subnets = f"{at}.VPCZoneIdentifier"
            yield Plant(template, f"{subnets}.0", {"Ref": name}, subnets)
            yield Plant(template, subnets, [{"Ref": name}], subnets)


@mutates("CB109", no_parameter=STRUCTURE)
def parameter_of_another_kind(template: Template) -> Iterator[Plant]:
    base = put(template, "Parameters.Network", {"Type": "AWS::EC2::VPC::Id"})
    for name, _ in of(template, "AWS::AutoScaling::AutoScalingGroup"):
        at = f"Resources.{name}.Properties.VPCZoneIdentifier"
        yield Plant(base, f"{at}.0", {"Ref": "Network"}, at)


@mutates("CB109", no_parameter=STRUCTURE)
def name_in_place_of_arn(template: Template) -> Iterator[Plant]:
    for name, function in of(template, "AWS::Lambda::Function"):
        at = f"Resources.{name}.Properties.Role"
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        yield Plant(template, at, {"Ref": role}, at)


@mutates("CB110", no_if=SECTION, no_parameter=GONE)
def description_gone(template: Template) -> Iterator[Plant]:
    for name in template["Outputs"]:
        yield Plant(template, f"Outputs.{name}.Description", ABSENT, f"Outputs.{name}")
