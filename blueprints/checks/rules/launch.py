"""How instances are launched: settings, network interfaces, group sizes, and user data as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..check import Hit, at, check
from ..model import (
    Model,
    Opaque,
    Reference,
    Resource,
    alternatives,
    arms,
    either_way,
    function,
    items,
    written,
)

GROUP = "AWS::AutoScaling::AutoScalingGroup"
INSTANCE = "AWS::EC2::Instance"
_TEMPLATE = "AWS::EC2::LaunchTemplate"
_CONFIGURATION = "AWS::AutoScaling::LaunchConfiguration"
_INTERFACE_TYPES = ("interface", "efa", "efa-only")


def settings(resource: Resource) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """What an instance starts with, whichever resource says it, with its path."""
    if resource.type == _TEMPLATE:
        for each in alternatives(resource.get("LaunchTemplateData")):
            if isinstance(each, Mapping):
                yield (
                    at(resource.id, "Properties.LaunchTemplateData"),
                    cast("Mapping[str, Any]", each),
                )
    else:
        yield at(resource.id, "Properties"), resource.properties


def launched(model: Model) -> list[Resource]:
    """Instances, launch templates and launch configurations."""
    return model.of(_TEMPLATE, INSTANCE, _CONFIGURATION)


def starters(model: Model, resource: Resource) -> list[Resource]:
    """Where the settings of an instance or of a group's instances stand: itself, and templates it refers to."""
    targets = {edge.target for edge in model.edges if edge.source == resource.id and edge.path != "DependsOn"}
    own = [resource] if resource.type == INSTANCE else []
    return own + [each for each in model.of(_TEMPLATE, _CONFIGURATION) if each.id in targets]


def images(model: Model, resource: Resource) -> set[str]:
    """The images, or the SSM parameters of images, that its instances may start from."""
    return {text(model, each) for given in _written_settings(resource) for each in arms(given.get("ImageId"))}


def numbers(value: Any) -> list[int]:
    """The whole numbers that a value may be; none where it is only known at deploy."""
    return [int(each) for each in alternatives(value) if re.fullmatch(r"-?\d+", str(each))]


def says(value: Any, word: str) -> bool:
    """Whether it may be this word, or this truth value under either spelling."""
    return any(str(each).lower() == word for each in alternatives(value))


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The mappings that a value may be, or that the list it may be has."""
    for each in items(value):
        if isinstance(each, Mapping):
            yield cast("Mapping[str, Any]", each)


def user_data(model: Model, resource: Resource) -> Iterator[str]:
    """Each text that its instances may run at boot."""
    for raw in written_user_data(resource):
        yield text(model, raw)


def written_user_data(resource: Resource) -> Iterator[Any]:
    """User data as the template has it, without Fn::Base64, one for each way conditions may go."""
    for given in _written_settings(resource):
        for script in arms(given.get("UserData")):
            name, argument = function(script)
            yield from arms(argument) if name == "Fn::Base64" else (script,)


def _written_settings(resource: Resource) -> Iterator[Mapping[str, Any]]:
    given: Any = resource.raw_properties()
    for each in arms(given.get("LaunchTemplateData") if resource.type == _TEMPLATE else given):
        if isinstance(each, Mapping):
            yield cast("Mapping[str, Any]", each)


def text(model: Model, raw: Any) -> str:
    """A string as far as the template tells it; `${Name}` stands for what only a deployment knows."""
    name, argument = function(raw)
    match name:
        case "":
            return str(raw) if isinstance(raw, (str, int, float)) else ""
        case "Ref":
            return _named(model, str(argument))
        case "Fn::Sub" | "Fn::Join" if argument == []:
            return ""
        case "Fn::Sub":
            return _substituted(model, argument)
        case "Fn::Join" if isinstance(argument, list):
            separator, *parts = cast("list[Any]", argument)
            return str(separator).join(text(model, part) for part in _parts(parts))
        case "Fn::If":
            return "\n".join(text(model, arm) for arm in arms(raw))
        case "Fn::FindInMap" if isinstance(found := model.mapped(argument), str):
            return found
        case _:
            return written(raw)


def _parts(given: list[Any]) -> list[Any]:
    """What is joined: a list, or one placeholder for a list that a function gives."""
    return cast("list[Any]", given[0]) if given and isinstance(given[0], list) else [{"Ref": ""}]


def _named(model: Model, name: str) -> str:
    declared = model.parameters.get(name, {})
    return str(declared["Default"]) if "Default" in declared else f"${{{name}}}"


def _substituted(model: Model, argument: Any) -> str:
    template, *rest = cast("list[Any]", argument) if isinstance(argument, list) else [argument]
    given = {name: each for mapping in mappings(rest) for name, each in mapping.items()}

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name.startswith("!"):
            return f"${{{name[1:]}}}"
        return text(model, given[name]) if name in given else _named(model, name)

    return re.sub(r"\$\{([^${}]*)\}", value, str(template))


@check(
    "CB059",
    "Instance profile with a name of its own",
    harm="EC2 remembers a profile of that name for a while: after a replacement instances start with the deleted "
    "one and get no credentials, and a second stack cannot use the name at all.",
    source="IAM User Guide, 'Troubleshoot IAM roles', 'Changes that I make are not always immediately visible'",
    remedy="leave InstanceProfileName out and refer to the profile by Arn",
)
def named_instance_profile(model: Model) -> Iterator[Hit]:
    for profile in model.of("AWS::IAM::InstanceProfile"):
        if any(True for _ in alternatives(profile.get("InstanceProfileName"))):
            yield Hit(at(profile.id, "Properties.InstanceProfileName"), "the profile's name is fixed")


@check(
    "CB153",
    "Launch template that lets instances use IMDSv1",
    harm="Whoever makes a program on the instance fetch a URL reads the credentials of its role.",
    source="EC2 User Guide, 'Configure instance metadata options for new instances'; checkov CKV_AWS_79",
    remedy="set HttpTokens to required",
    severity="warning",
)
@either_way
def metadata_without_token(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for path, given in settings(resource):
            options = list(alternatives(given.get("MetadataOptions", _default_options(resource))))
            if any(isinstance(each, Mapping) and _optional(cast("dict[str, Any]", each)) for each in options):
                yield Hit(path, "the metadata service answers without a token")
                break


def _default_options(resource: Resource) -> dict[str, str] | None:
    """An instance without any may owe them to its account or image; a template is where they belong."""
    return {} if resource.type == _TEMPLATE else None


def _optional(options: Mapping[str, Any]) -> bool:
    if "disabled" in alternatives(options.get("HttpEndpoint")):
        return False
    return "optional" in alternatives(options.get("HttpTokens", "optional"))


def interfaces(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Its network interfaces."""
    return list(mappings(given.get("NetworkInterfaces")))


@check(
    "CB161",
    "Security groups beside network interfaces",
    harm="EC2 refuses the launch: with network interfaces, security groups may only be given for each of them.",
    source="EC2 API Reference, 'RunInstances', SecurityGroupId",
    remedy="give the groups to each interface: Groups in a launch template, GroupSet in an instance",
)
def groups_beside_interfaces(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for path, given in settings(resource):
            for name in ("SecurityGroupIds", "SecurityGroups"):
                if interfaces(given) and any(True for _ in items(given.get(name))):
                    yield Hit((*path, name), f"{name} stands beside NetworkInterfaces")


@check(
    "CB162",
    "Public address with several network interfaces",
    harm="EC2 refuses the launch: it assigns a public address only where an instance has one interface.",
    source="EC2 API Reference, 'InstanceNetworkInterfaceSpecification', AssociatePublicIpAddress",
    remedy="leave AssociatePublicIpAddress out and associate an Elastic IP with the first interface",
)
@either_way
def public_address_with_several_interfaces(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for path, given in settings(resource):
            asked = any(says(each.get("AssociatePublicIpAddress"), "true") for each in interfaces(given))
            if asked and len(_certain(given)) > 1:
                yield Hit(
                    (*path, "NetworkInterfaces"), f"{len(_certain(given))} interfaces and a public address"
                )


def _certain(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Interfaces that are there whichever way conditions go."""
    found = given.get("NetworkInterfaces")
    return (
        [each for each in cast("list[Any]", found) if isinstance(each, Mapping)]
        if isinstance(found, list)
        else []
    )


@check(
    "CB163",
    "Unknown type of network interface",
    harm="The template is made without complaint and EC2 refuses the first launch.",
    source="CloudFormation Template Reference, 'AWS::EC2::LaunchTemplate NetworkInterface', InterfaceType",
    remedy="use interface, efa or efa-only",
)
def unknown_interface_type(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for path, given in settings(resource):
            for interface in interfaces(given):
                for kind in alternatives(interface.get("InterfaceType")):
                    if isinstance(kind, str) and kind not in _INTERFACE_TYPES:
                        yield Hit((*path, "NetworkInterfaces"), f"there is no InterfaceType {kind}")


@check(
    "CB164",
    "Two network interfaces with one device index",
    harm="EC2 refuses the launch: on a network card each interface has an index of its own.",
    source="EC2 User Guide, 'Elastic network interfaces', network cards",
    remedy="number the interfaces of each network card from 0, or from 1 on the cards after the first",
)
@either_way
def repeated_device_index(model: Model) -> Iterator[Hit]:
    for resource in launched(model):
        for path, given in settings(resource):
            places = Counter(_place(each) for each in _certain(given))
            for (card, index), count in places.items():
                if count > 1 and index:
                    yield Hit((*path, "NetworkInterfaces"), f"{count} have index {index} on card {card}")


def _place(interface: Mapping[str, Any]) -> tuple[str, str]:
    card, index = interface.get("NetworkCardIndex", 0), interface.get("DeviceIndex", "")
    return str(card), "" if isinstance(index, (Reference, Opaque)) else str(index)


@check(
    "CB165",
    "Desired capacity outside the group's bounds",
    harm="Auto Scaling refuses the group: the capacity must lie between MinSize and MaxSize.",
    source="Auto Scaling API Reference, 'CreateAutoScalingGroup', DesiredCapacity",
    remedy="choose a DesiredCapacity from MinSize to MaxSize",
)
@either_way
def desired_capacity_out_of_bounds(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        desired = numbers(group.get("DesiredCapacity"))
        least, most = numbers(group.get("MinSize")), numbers(group.get("MaxSize"))
        path = at(group.id, "Properties.DesiredCapacity")
        if desired and most and min(desired) > max(most):
            yield Hit(path, f"{min(desired)} is more than MaxSize {max(most)}")
        if desired and least and max(desired) < min(least):
            yield Hit(path, f"{max(desired)} is less than MinSize {min(least)}")


@check(
    "CB166",
    "Zones of a group beside its subnets",
    harm="Auto Scaling refuses the group where a zone has none of its subnets, as with Fn::GetAZs in a region with "
    "more zones than subnets.",
    source="CloudFormation Template Reference, 'AWS::AutoScaling::AutoScalingGroup', VPCZoneIdentifier",
    remedy="leave AvailabilityZones out; the subnets say it",
)
def zones_beside_subnets(model: Model) -> Iterator[Hit]:
    for group in model.of(GROUP):
        zones, subnets = group.get("AvailabilityZones"), group.get("VPCZoneIdentifier")
        if zones is None or subnets is None or _zones_of(model, zones, subnets):
            continue
        yield Hit(at(group.id, "Properties.AvailabilityZones"), "the group names zones and subnets")


def _zones_of(model: Model, zones: Any, subnets: Any) -> bool:
    """Whether they are zones of these subnets: their attributes, or what the subnets are given."""
    targets = {each.target for each in items(subnets) if isinstance(each, Reference)} & model.resources.keys()
    given = {
        str(each) for name in targets for each in alternatives(model.resources[name].get("AvailabilityZone"))
    }
    named = list(items(zones))
    return bool(named) and all(_target(each) in targets or str(each) in given for each in named)


def _target(value: Any) -> str:
    return value.target if isinstance(value, Reference) else ""
