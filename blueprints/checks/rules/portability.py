"""Portability: what ties a template to one region, one partition, or one other stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from ..check import Hit, at, check
from ..model import Model, function, nodes, with_defaults, written
from .launch import text

_AMI = re.compile(r"\bami-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_ZONE = re.compile(r"(?:[a-z]{2}(?:-[a-z]+)+-\d|\$\{AWS::Region\})[a-f]")
_PARTITION = re.compile(r"\barn:(aws(?:-[a-z]+)*):")
# The host of a URL that is put together: ${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com. In three steps, since
# one expression takes the square of a long text's length.
_WORD = re.compile(r"[\w.:${}-]+")
_SUFFIX = re.compile(r"\.amazonaws\.com(?![\w.-])")
_VARIABLE = re.compile(r"\$(?:\{[\w.:]*\}|\w)")
# Services whose principal ends as the partition's URLs do; the others are the same in all partitions. (So is EC2's, of
# which that was not true once: aws/aws-cdk#22589, aws/aws-cli#8709.)
_PRINCIPALS = re.compile(r"(?:elasticmapreduce|logs\.[\w${}:-]+)\.amazonaws\.com")
_PROSE = re.compile(r"(^|\.)(Description|ConstraintDescription|AllowedPattern|Metadata)(\.|$)")

# Functions whose arguments are keys and names, not texts that reach AWS
_KEYS = ("Ref", "Fn::FindInMap", "Fn::GetAtt")

Text = tuple[tuple[str, ...], str]


def texts(model: Model, *sections: str) -> Iterator[Text]:
    """Every text with its path, prose left out; one that Join or Sub puts together is one text."""
    for section in sections:
        yield from _texts(model.section(section), section)


def _texts(value: Any, path: str) -> Iterator[Text]:
    if _PROSE.search(path):
        return
    name, argument = function(value)
    if isinstance(value, str) or name in ("Fn::Join", "Fn::Sub"):
        yield tuple(path.split(".")), written(value)
        if name == "Fn::Join":
            yield from _arms_joined(argument, f"{path}.Fn::Join")
    elif isinstance(value, dict) and name not in _KEYS:
        for key, each in cast("dict[str, Any]", value).items():
            yield from _texts(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _texts(each, f"{path}.{index}")


def _arms_joined(argument: Any, path: str) -> Iterator[Text]:
    """Texts of what is joined by condition, of which the whole text has nothing."""
    for place, part in nodes(argument, path):
        if function(part)[0] == "Fn::If" and place.count("Fn::If") == path.count("Fn::If"):
            yield from _texts(part, place)


@check(
    "CB030",
    "Image id of one region",
    harm="The stack fails in every other region, and in this one as soon as the image is retired.",
    source="EC2 User Guide, 'Reference AMIs using Systems Manager parameters';"
    " aws-samples/ecs-refarch-cloudformation#76",
    remedy="take a parameter of type AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
    of_source=True,
)
def image_of_one_region(model: Model) -> Iterator[Hit]:
    told: set[tuple[str, ...]] = set()
    for path, words in texts(model, "Parameters", "Mappings", "Resources"):
        place = path[:2] if path[0] == "Mappings" else path
        for image in _AMI.findall(words)[:1]:
            if place not in told:
                yield Hit(place, f"{image} exists in one region only")
            told.add(place)


@check(
    "CB032",
    "Fixed availability zone",
    harm="Zones are named per account: in another region, or another account, it is missing or lacks the"
    " instance type.",
    source="AWS RAM User Guide, 'Availability Zone IDs for your AWS resources'; runs-on/runs-on#5",
    remedy="take the zone by a parameter without default, or by Fn::GetAZs",
    of_source=True,
)
def fixed_zone(model: Model) -> Iterator[Hit]:
    for path, words in texts(model, "Parameters", "Mappings", "Resources"):
        zones = [each.strip() for each in words.split(",")]
        if path[-2:-1] != ("AllowedValues",) and all(_ZONE.fullmatch(zone) for zone in zones):
            yield Hit(path, f"{words} is one zone's name")


@check(
    "CB033",
    "Third or later zone of a region that may have two",
    harm="The stack fails in regions and accounts that offer two zones.",
    source="CloudFormation Template Reference, 'Fn::GetAZs'; buildkite/elastic-ci-stack-for-aws#156",
    remedy="take the zones by a parameter, or make what needs the third one conditional",
    of_source=True,
)
def zone_beyond_the_second(model: Model) -> Iterator[Hit]:
    for resource in model.resources.values():
        if "Condition" in resource.raw:
            continue
        for path, node in nodes(resource.raw_properties(), "Properties"):
            name, argument = function(node)
            zone = _zone(model, argument) if name == "Fn::Select" and "Fn::If" not in path else 0
            if zone > 2:
                yield Hit(at(resource.id, path), f"it takes zone {zone} of the region")


def _zone(model: Model, argument: Any) -> int:
    """Which zone of the region Fn::Select takes, counted from 1; 0 where it takes something else."""
    if not isinstance(argument, list) or len(cast("list[Any]", argument)) != 2:
        return 0
    index, chosen = cast("list[Any]", argument)
    place = text(model, index)
    return int(place) + 1 if place.isdigit() and function(chosen)[0] == "Fn::GetAZs" else 0


@check(
    "CB034",
    "ARN of one partition",
    harm="The stack fails in China and GovCloud, where ARNs begin otherwise.",
    source="IAM User Guide, 'Identify AWS resources with Amazon Resource Names'; DataDog/cloudformation-template#322",
    remedy="write arn:${AWS::Partition}: in a Fn::Sub",
    severity="warning",
    of_source=True,
)
def arn_of_one_partition(model: Model) -> Iterator[Hit]:
    for path, words in texts(model, "Parameters", "Mappings", "Resources", "Outputs"):
        found = _PARTITION.search(words)
        if found and not _is_entry_of(path, found[1]) and not _is_replaced(path, words):
            yield Hit(path, f"{found[0]} is one partition's")


def _is_replaced(path: tuple[str, ...], words: str) -> bool:
    """Whether it is what somebody may give a parameter, or a default of an account that nobody else has."""
    return path[0] == "Parameters" and (path[2:] != ("Default",) or re.search(r":\d{12}:", words) is not None)


def _is_entry_of(path: tuple[str, ...], partition: str) -> bool:
    """Whether it is a mapping's entry for that partition, or for a region of it."""
    return path[0] == "Mappings" and any(partition in (key, _partition(key)) for key in path[2:])


def _partition(region: str) -> str:
    if not _REGION.fullmatch(region):
        return ""
    return next((f"aws-{each}" for each in ("cn", "us-gov") if region.startswith(f"{each}-")), "aws")


@check(
    "CB035",
    "Host or principal of one partition",
    harm="The stack fails in China, where hosts and some service principals end in amazonaws.com.cn.",
    source="CloudFormation Template Reference, 'Pseudo parameters: AWS::URLSuffix'",
    remedy="write ${AWS::URLSuffix} in place of amazonaws.com",
    severity="warning",
    of_source=True,
)
@with_defaults
def host_of_one_partition(model: Model) -> Iterator[Hit]:
    for path, words in texts(model, "Resources", "Outputs"):
        principal = _PRINCIPALS.fullmatch(words) if "Principal" in path else None
        host = principal[0] if principal else "" if "Principal" in path else _host(words)
        if host:
            yield Hit(path, f"{host} is one partition's")


def _host(words: str) -> str:
    """The first host that is put together of variables and a partition's suffix; empty if there is none."""
    for word in _WORD.findall(words):
        end = _SUFFIX.search(word)
        if end and _VARIABLE.search(word, 0, end.start()):
            return word[: end.end()]
    return ""


@check(
    "CB036",
    "Stacks tied together by an export",
    harm="An export that is in use can neither change nor go: both stacks are stuck in UPDATE_ROLLBACK.",
    source="CloudFormation User Guide, 'Get exported outputs from a deployed stack'; aws/aws-cdk#7602",
    remedy="pass the value to the other stack as a parameter",
    severity="warning",
    of_source=True,
)
def tied_by_an_export(model: Model) -> Iterator[Hit]:
    for name, output in model.section("Outputs").items():
        if isinstance(output, dict) and "Export" in output:
            yield Hit(("Outputs", name, "Export"), "the output is exported")
    for section in ("Resources", "Outputs", "Conditions"):
        for path, node in nodes(model.section(section), section):
            if function(node)[0] == "Fn::ImportValue":
                yield Hit(tuple(path.split(".")), "the value is another stack's export")
