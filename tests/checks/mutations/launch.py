"""Defects of launch templates, of their network interfaces, and of groups' sizes."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    ABSENT,
    GONE,
    STRUCTURE,
    Plant,
    Template,
    get,
    groups,
    launch_templates,
    mutates,
    of,
    put,
)


@mutates("CB059")
def profile_named(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, "AWS::IAM::InstanceProfile"):
        at = f"Resources.{name}.Properties.InstanceProfileName"
        yield Plant(template, at, "nodes", at)


@mutates("CB153")
def tokens_optional(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        yield Plant(template, f"{data}.MetadataOptions.HttpTokens", "optional", data)


@mutates("CB153", no_parameter=GONE)
def tokens_by_default(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        yield Plant(template, f"{data}.MetadataOptions.HttpTokens", ABSENT, data)
        yield Plant(template, f"{data}.MetadataOptions", ABSENT, data)


@mutates("CB153")
def service_enabled_again(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        base = put(template, f"{data}.MetadataOptions", {"HttpEndpoint": "disabled"})
        yield Plant(base, f"{data}.MetadataOptions.HttpEndpoint", "enabled", data)


@mutates("CB161")
def group_beside_interfaces(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        for kind, value in (("SecurityGroupIds", "sg-0123456789abcdef0"), ("SecurityGroups", "nodes")):
            base = put(template, f"{data}.{kind}", [])
            yield Plant(base, f"{data}.{kind}.0", value, f"{data}.{kind}")


@mutates("CB161", no_parameter=STRUCTURE)
def groups_beside_interfaces(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.SecurityGroupIds"
        yield Plant(template, at, [{"Ref": "ClusterSecurityGroup"}], at)


@mutates("CB161", no_parameter=STRUCTURE)
def interfaces_beside_groups(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        interfaces = get(template, f"{data}.NetworkInterfaces")
        base = put(template, f"{data}.SecurityGroupIds", [{"Ref": "ClusterSecurityGroup"}])
        base = put(base, f"{data}.NetworkInterfaces", ABSENT)
        yield Plant(base, f"{data}.NetworkInterfaces", interfaces, f"{data}.SecurityGroupIds")


def two_interfaces(template: Template, data: str) -> Template:
    """A template whose nodes have two interfaces, none with a public address."""
    interface = {"DeviceIndex": 0, "Groups": [{"Ref": "ClusterSecurityGroup"}]}
    return put(template, f"{data}.NetworkInterfaces", [interface, {**interface, "DeviceIndex": 1}])


@mutates("CB162")
def public_address(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.NetworkInterfaces"
        many = len(get(template, at)) > 1
        base = template if many else two_interfaces(template, data)
        yield Plant(base, f"{at}.0.AssociatePublicIpAddress", True, at)


@mutates("CB162", no_parameter=STRUCTURE)
def second_interface(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.NetworkInterfaces"
        two = get(two_interfaces(template, data), at)
        base = put(template, at, [{**two[0], "AssociatePublicIpAddress": True}])
        yield Plant(base, f"{at}.1", two[1], at)


@mutates("CB163")
def interface_type_misspelt(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.NetworkInterfaces"
        for index in {0, len(get(template, at)) - 1}:
            yield Plant(template, f"{at}.{index}.InterfaceType", "efa_only", at)


@mutates("CB164")
def index_twice(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.NetworkInterfaces"
        yield Plant(two_interfaces(template, data), f"{at}.1.DeviceIndex", 0, at)
        if len(get(template, at)) > 1:
            yield Plant(template, f"{at}.2.NetworkCardIndex", 1, at)


@mutates("CB164", no_parameter=STRUCTURE)
def interface_twice(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.NetworkInterfaces"
        interfaces = get(template, at)
        yield Plant(template, f"{at}.{len(interfaces)}", interfaces[0], at)


@mutates("CB165")
def capacity_out_of_bounds(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.Properties"
        for key, value in (
            ("DesiredCapacity", "99"),
            ("DesiredCapacity", "0"),
            ("MinSize", "99"),
            ("MaxSize", "0"),
        ):
            yield Plant(template, f"{at}.{key}", value, f"{at}.DesiredCapacity")


@mutates("CB166", no_parameter=STRUCTURE)
def zones_of_the_region(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.Properties.AvailabilityZones"
        yield Plant(template, at, {"Fn::GetAZs": ""}, at)


@mutates("CB166")
def zone_of_no_subnet(template: Template) -> Iterator[Plant]:
    for group, _ in groups(template):
        at = f"Resources.{group}.Properties.AvailabilityZones"
        subnet = get(template, f"Resources.{group}.Properties.VPCZoneIdentifier.0.Ref")
        if subnet in template["Resources"]:
            base = put(template, at, [{"Fn::GetAtt": [subnet, "AvailabilityZone"]}])
            yield Plant(base, f"{at}.0", "us-east-1f", at)
