"""Parameter: a value that CloudFormation asks for when a stack is deployed.

A class attribute declares it, reading it on an instance gives its `Ref`, and a template holds exactly those
parameters that its `build()` has read. So a parameter that only some shapes need (`KeyName` with SSH) is in
those templates and in no other, and none is ever unused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, overload

import troposphere
from troposphere import Ref
from troposphere import constants as aws

IMAGE_FROM_SSM = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"

# What CloudFormation checks against the account at deploy, told apart by shape so that a slip is found at
# render. Ids: AWS "Longer format resource IDs" (8 or 17 hexadecimal digits). Names: the services' API pages.
_SHAPES = {
    aws.VPC_ID: (r"vpc-[0-9a-f]{8,17}", "a VPC id such as vpc-0123456789abcdef0"),
    aws.SUBNET_ID: (r"subnet-[0-9a-f]{8,17}", "a subnet id such as subnet-0123456789abcdef0"),
    aws.SECURITY_GROUP_ID: (r"sg-[0-9a-f]{8,17}", "a security group id such as sg-0123456789abcdef0"),
    aws.IMAGE_ID: (r"ami-[0-9a-f]{8,17}", "an image id such as ami-0123456789abcdef0"),
    aws.AVAILABILITY_ZONE_NAME: (r"[a-z]{2}(-[a-z0-9]+)+-\d[a-z](-[a-z0-9]+)*", "a zone name"),
    aws.HOSTED_ZONE_ID: (r"[A-Z0-9]{1,32}", "a hosted zone id"),
    aws.KEY_PAIR_NAME: (r"[\x20-\x7e]{1,255}", "the name of a key pair, 1 to 255 ASCII characters"),
    aws.NUMBER: (r"[+-]?(\d+\.?\d*|\.\d+)", "a number"),
    IMAGE_FROM_SSM: (r"/?[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*", "the name of an SSM parameter"),
}
_SHAPES["AWS::SSM::Parameter::Name"] = _SHAPES[IMAGE_FROM_SSM]

Choice = Sequence[str] | Callable[[Any], Sequence[str]]
Default = str | Callable[[Any], str] | None


class _Owner(Protocol):
    """What a parameter needs of the blueprint that declares it."""

    def use(self, parameter: Parameter) -> None: ...


class Parameter:
    """Declares a CloudFormation parameter on a blueprint class.

    `type` is a CloudFormation parameter type. `pattern` must match the whole value; `constraint` says in words
    what a value must look like. `minimum` and `maximum` bound whole numbers. `default` and `allowed` may be
    functions of the blueprint, for values that follow from its config. `group` and `label` order the form in
    the console.
    """

    name: str

    def __init__(
        self,
        type: str,  # noqa: A002 - the word CloudFormation uses
        description: str,
        *,
        default: Default = None,
        allowed: Choice = (),
        pattern: str = "",
        constraint: str = "",
        minimum: int | None = None,
        maximum: int | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        secret: bool = False,
        group: str = "Settings",
        label: str = "",
        name: str = "",
    ) -> None:
        self.type = type
        self.description = description
        self.default = default
        self.allowed = allowed
        self.pattern = pattern
        self.constraint = constraint
        self.minimum, self.maximum = minimum, maximum
        self.min_length, self.max_length = min_length, max_length
        self.secret = secret
        self.group = group
        self.label = label
        self.name = name

    @classmethod
    def image(cls, description: str, *, default: str, group: str = "Image", label: str = "") -> Parameter:
        """An image by the name of the SSM parameter that its publisher keeps current."""
        return cls(IMAGE_FROM_SSM, description, default=default, group=group, label=label)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.name = self.name or "".join(word.capitalize() for word in attribute.split("_"))

    @overload
    def __get__(self, instance: None, owner: type) -> Parameter: ...
    @overload
    def __get__(self, instance: _Owner, owner: type) -> Ref: ...
    def __get__(self, instance: _Owner | None, owner: type) -> Parameter | Ref:
        if instance is None:
            return self
        instance.use(self)
        return Ref(self.name)

    def resolve(self, blueprint: object) -> ResolvedParameter:
        """The declaration with what follows from this blueprint's config filled in."""
        default = self.default(blueprint) if callable(self.default) else self.default
        allowed = self.allowed(blueprint) if callable(self.allowed) else self.allowed
        return ResolvedParameter(self, default, tuple(allowed))


class ResolvedParameter:
    """A parameter of one template, with its default and its allowed values."""

    def __init__(self, declared: Parameter, default: str | None, allowed: tuple[str, ...]) -> None:
        self.declared = declared
        self.name = declared.name
        self.default = default
        self.allowed = allowed

    def resource(self) -> troposphere.Parameter:
        """The parameter as troposphere writes it."""
        declared = self.declared
        settings = {
            "Type": declared.type,
            "Description": declared.description,
            "Default": self.default,
            "AllowedValues": list(self.allowed) or None,
            "AllowedPattern": declared.pattern or None,
            "ConstraintDescription": declared.constraint or None,
            "MinValue": declared.minimum,
            "MaxValue": declared.maximum,
            "MinLength": declared.min_length,
            "MaxLength": declared.max_length,
            "NoEcho": True if declared.secret else None,
        }
        return troposphere.Parameter(
            self.name, **{key: value for key, value in settings.items() if value is not None}
        )

    def faults(self, value: str) -> Iterator[str]:
        """What CloudFormation would refuse in `value`, each with the remedy; nothing when it is good."""
        if self.declared.secret:
            yield "a secret must not stand in a stack file; give it to CloudFormation at deploy"
            return
        for item in self._items(value):
            yield from self._item_faults(item)

    def _items(self, value: str) -> list[str]:
        listed = self.declared.type == "CommaDelimitedList" or self.declared.type.startswith("List<")
        return [item.strip() for item in value.split(",")] if listed else [value]

    def _item_faults(self, item: str) -> Iterator[str]:
        declared = self.declared
        got = f"got {item!r}"
        if self.allowed and item not in self.allowed:
            yield f"{got}; write {_listing(self.allowed)}{_because(declared.constraint)}"
            return
        shape, words = _SHAPES.get(declared.type.removeprefix("List<").removesuffix(">"), ("", ""))
        shape, words = _SHAPES.get(declared.type, (shape, words))
        if shape and not _matches(shape, item):
            yield f"{got}; write {words}"
            return
        if declared.pattern and not _matches(declared.pattern, item):
            yield f"{got}; write {declared.constraint or 'a value that matches ' + declared.pattern}"
            return
        yield from self._range_faults(item)

    def _range_faults(self, item: str) -> Iterator[str]:
        declared = self.declared
        if (declared.minimum, declared.maximum) != (None, None) and not _matches(r"[+-]?\d+", item):
            yield f"got {item!r}; write a whole number"
            return
        length = len(item)
        if declared.min_length is not None and length < declared.min_length:
            yield f"got {item!r}, {length} characters; write at least {declared.min_length}"
        if declared.max_length is not None and length > declared.max_length:
            yield f"got {length} characters; write at most {declared.max_length}"
        if declared.minimum is not None and float(item) < declared.minimum:
            yield f"got {item}; write {declared.minimum} or more"
        if declared.maximum is not None and float(item) > declared.maximum:
            yield f"got {item}; write {declared.maximum} or less"


def _matches(pattern: str, text: str) -> bool:
    """As CloudFormation does it, where \\d and \\w are ASCII."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _because(constraint: str) -> str:
    return f" ({constraint})" if constraint else ""


def _listing(values: Iterable[str]) -> str:
    listed = list(values)
    shown = ", ".join(value or "''" for value in listed[:12])
    return f"one of {shown}" + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")
