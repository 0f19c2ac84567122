"""Limits: what AWS refuses for its size, measured at the longest that parameters can make it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

from ..check import Hit, at, check
from ..model import Model, arms, entries, function, items, nodes, with_defaults
from ..sam import SUFFIX
from ..template import MOST_RESOURCES

INLINE_BODY = 51_200
USER_DATA = 16_384
INLINE_POLICIES = 10_240
_ENVIRONMENT = 4_096
_DESCRIPTION = 1_024
_ENTRIES = {"Resources": MOST_RESOURCES, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_NEAR = 0.9

# Taken for what has no bound of its own: an id, an ARN, a parameter that takes any text
_ASSUMED = 128
_PSEUDO = {
    "AWS::AccountId": 12,
    "AWS::NoValue": 0,
    "AWS::Partition": 10,
    "AWS::Region": 14,
    "AWS::StackId": 200,
    "AWS::StackName": 128,
    "AWS::URLSuffix": 16,
}


@dataclass(frozen=True)
class Measure:
    """How much of a limit something takes."""

    path: tuple[str, ...]
    what: str
    size: int
    limit: int

    def __str__(self) -> str:
        return f"{self.what}: {self.size:,} of {self.limit:,}"

    @property
    def is_over(self) -> bool:
        return self.size > self.limit

    @property
    def is_near(self) -> bool:
        return self.limit * _NEAR <= self.size <= self.limit


def longest(model: Model, value: Any) -> int:
    """Bytes of a text as written, each reference at the longest value that it can have."""
    name, argument = function(value)
    if not name:
        return len(str(value).encode()) if isinstance(value, (str, int, float)) else _ASSUMED
    measure = partial(longest, model)
    if name == "Ref":
        return _longest_reference(model, str(argument))
    if name == "Fn::Sub":
        return _longest_sub(model, argument)
    if name == "Fn::If":
        return max(map(measure, arms(value)), default=0)
    if name == "Fn::Base64":
        return measure(argument)
    if name == "Fn::Join":
        return _longest_join(model, argument)
    if name == "Fn::FindInMap" and isinstance(found := model.mapped(argument), str):
        return len(found.encode())
    return _ASSUMED


def _longest_join(model: Model, argument: Any) -> int:
    delimiter, parts = (
        (*cast("list[Any]", argument), None, None)[:2] if isinstance(argument, list) else ("", None)
    )
    if not isinstance(parts, list):
        return _ASSUMED
    sizes = [longest(model, each) for each in cast("list[Any]", parts)]
    return sum(sizes) + len(str(delimiter).encode()) * max(len(sizes) - 1, 0)


def _longest_reference(model: Model, name: str) -> int:
    if name in _PSEUDO:
        return _PSEUDO[name]
    parameter = model.parameters.get(name)
    return _ASSUMED if parameter is None else _longest_parameter(parameter)


def _longest_parameter(parameter: Mapping[str, Any]) -> int:
    default = len(str(parameter.get("Default", "")).encode())
    if "AllowedValues" in parameter:
        return max((len(str(each).encode()) for each in items(parameter["AllowedValues"])), default=default)
    bounds: list[int] = []
    if str(parameter.get("MaxLength", "")).isdigit():
        bounds.append(int(parameter["MaxLength"]))
    if "AllowedPattern" in parameter:
        bounds += _longest_match(str(parameter["AllowedPattern"]))
    if parameter.get("Type") == "Number":
        bounds.append(20)
    return max(default, min(bounds, default=_ASSUMED))


def _longest_match(pattern: str) -> list[int]:
    """The most characters that a pattern matches, if it has a bound and Python reads it as Java does."""
    parser: Any = import_module("re._parser")
    try:
        width = int(parser.parse(pattern).getwidth()[1])
    except (re.error, OverflowError):
        return []
    return [width] if width <= INLINE_BODY else []


def _longest_sub(model: Model, argument: Any) -> int:
    whole = cast("list[Any]", argument) if isinstance(argument, list) else [argument]
    text, given = whole[0] if whole else "", entries(whole[1] if len(whole) > 1 else None)
    size = len(str(text).encode())
    for literal, name in re.findall(r"\$\{(!?)([^${}]*)\}", str(text)):
        filled = longest(model, given[name]) if name in given else _longest_reference(model, name)
        size += -1 if literal else filled - len(f"${{{name}}}")
    return size


def user_data(model: Model) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All user data as written, each arm of an If by itself."""
    for resource in model.resources.values():
        if resource.type.startswith(("AWS::EC2::", "AWS::AutoScaling::")):
            for path, node in nodes(resource.raw_properties(), "Properties"):
                if path.endswith("UserData"):
                    yield at(resource.id, path), node


def _measures(model: Model) -> Iterator[Measure]:
    """What neither linter measures, or only counts and does not warn of in time."""
    for path, value in user_data(model):
        encoded = isinstance(value, str) and not _is_plain(value)
        size = longest(model, value) * 3 // 4 if encoded else longest(model, value)
        yield Measure(path, "bytes of user data", size, USER_DATA)
    yield from _policies(model)


def _policies(model: Model) -> Iterator[Measure]:
    """Inline policies of each role, those of AWS::IAM::Policy included; spaces do not count in IAM."""
    sizes: dict[str, int] = {}
    for owner, document in _inline_documents(model):
        sizes[owner] = sizes.get(owner, 0) + _compact(model, document)
    for role, size in sizes.items():
        yield Measure(at(role), "characters of inline policies", size, INLINE_POLICIES)


def _inline_documents(model: Model) -> Iterator[tuple[str, Any]]:
    for role in model.of("AWS::IAM::Role"):
        for path, node in nodes(role.raw_properties().get("Policies")):
            if path.endswith("PolicyDocument"):
                yield role.id, node
    for policy in model.of("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        for edge in model.edges:
            if edge.source == policy.id and re.match(r"Properties\.Role(s|Name)\b", edge.path):
                yield edge.target, policy.raw_properties().get("PolicyDocument")


def _compact(model: Model, value: Any) -> int:
    """Characters of a policy as JSON without spaces."""
    name, _ = function(value)
    if name == "Fn::If":
        return max((_compact(model, each) for each in arms(value)), default=0)
    if name:
        return longest(model, value) + 2
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return 1 + sum(len(key) + 4 + _compact(model, each) for key, each in entries.items())
    if isinstance(value, list):
        return 1 + sum(1 + _compact(model, each) for each in cast("list[Any]", value))
    return len(json.dumps(value))


@check(
    "CB026",
    "Larger than the service takes",
    harm="EC2 or IAM refuses it when the stack is created, or first when somebody gives a long parameter.",
    source="EC2 User Guide, 'User data limitations'; IAM User Guide, 'IAM and AWS STS quotas'",
    remedy="make it shorter: fetch what is long, or split it",
)
def larger_than_taken(model: Model) -> Iterator[Hit]:
    for each in _measures(model):
        if each.is_over:
            yield Hit(each.path, str(each))


@check(
    "CB102",
    "Template that cannot be passed inline",
    harm="`aws cloudformation create-stack --template-body` refuses it: it has to go through a bucket first.",
    source="CloudFormation User Guide, 'Understand CloudFormation quotas'",
    remedy="make it shorter, or deploy it through a bucket",
    severity="warning",
    of_source=True,
)
def body_is_not_inline(model: Model) -> Iterator[Hit]:
    size = len(model.source.text.encode("utf-8", "surrogatepass"))
    if size > INLINE_BODY:
        yield Hit(("Resources",), f"the body has {size:,} bytes of the {INLINE_BODY:,} taken inline")


@check(
    "CB103",
    "User data that is not base64",
    harm="EC2 refuses it, or boots with what the text happens to decode to.",
    source="EC2 User Guide, 'Run commands when you launch an EC2 instance with user data input'",
    remedy="put Fn::Base64 around it",
)
@with_defaults
def user_data_is_plain(model: Model) -> Iterator[Hit]:
    for path, value in user_data(model):
        if any(_is_plain(each) for each in arms(value)):
            yield Hit(path, "the user data is plain text")


def _is_plain(value: Any) -> bool:
    if function(value)[0] in ("Fn::Sub", "Fn::Join"):
        return True
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
    except (binascii.Error, ValueError):
        return True
    return False


@check(
    "CB105",
    "Close to a limit",
    harm="The next small change fails on deployment, at a time when nobody has time to split a stack.",
    source="CloudFormation User Guide, 'Understand CloudFormation quotas'; Lambda Developer Guide, 'Lambda quotas'",
    remedy="make room before the next change needs it",
    severity="warning",
)
def close_to_a_limit(model: Model) -> Iterator[Hit]:
    for each in (*_measures(model), *_counts(model), *_environments(model)):
        if each.is_near:
            yield Hit(each.path, str(each))


def _counts(model: Model) -> Iterator[Measure]:
    for section, limit in _ENTRIES.items():
        yield Measure((section,), section.lower(), len(model.section(section)), limit)
    description = len(str(model.raw.get("Description", "")).encode())
    yield Measure(("Description",), "bytes of description", description, _DESCRIPTION)
    if not model.source.name.endswith(SUFFIX):  # what SAM makes of a template is never passed
        body = len(model.source.text.encode("utf-8", "surrogatepass"))
        yield Measure(("Resources",), "bytes of the body that are taken inline", body, INLINE_BODY)


def _environments(model: Model) -> Iterator[Measure]:
    for resource in model.of("AWS::Lambda::Function"):
        environments = arms(resource.raw_properties().get("Environment"))
        for variables in (each for given in environments for each in arms(entries(given).get("Variables"))):
            size = sum(len(name) + longest(model, value) for name, value in entries(variables).items())
            yield Measure(at(resource.id), "bytes of environment", size, _ENVIRONMENT)
