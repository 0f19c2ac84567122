"""Blueprint: a class whose `build()` is the table of contents of a template."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args

from troposphere import AWSHelperFn, AWSObject, Output, Ref, Template, iam
from troposphere import constants as aws

from .config import Config
from .emit import Format, to_text
from .environment import Environment
from .errors import BuildError
from .parameter import Parameter, ResolvedParameter
from .plain import plain

C = TypeVar("C", bound=Config)
R = TypeVar("R")

_SAM = "AWS::Serverless-2016-10-31"
_ORDER = ("Type", "Condition", "DependsOn", "CreationPolicy", "UpdatePolicy", "UpdateReplacePolicy",
          "DeletionPolicy", "Metadata", "Properties")  # fmt: skip


class Blueprint(Generic[C]):
    """Base of every blueprint: `config`, `build()`, `add()`, `output()` and `render()`.

    A subclass declares `Parameter`s as class attributes, names its Config as `Blueprint[MyConfig]`, and builds:
    one method a resource returns it, and `build()` adds them. The first line of its docstring is the template's
    Description. Rendering is deterministic and starts from an empty template each time.
    """

    regions: ClassVar[tuple[str, ...]] = ("us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1")
    """Regions that stand for where it is meant to be deployed: what it is made of must exist in each of them.

    By default one that has everything, one beside it, and one of each partition that has less.
    """

    permissions_boundary_arn = Parameter(
        aws.STRING,
        "Policy that bounds every role of this stack.",
        pattern=r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+",
        constraint="the ARN of a managed policy",
        group="Security",
        label="Permissions boundary",
    )
    kms_key_arn = Parameter(
        aws.STRING,
        "Customer managed key that encrypts what this stack stores.",
        pattern=r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        constraint="the ARN of a KMS key",
        group="Security",
        label="Encryption key",
    )

    def __init__(self, config: C, environment: Environment | None = None) -> None:
        self.config = config
        self.environment = environment or Environment()
        self._template = Template()
        self._used: set[str] = set()

    # What a blueprint writes

    def build(self) -> None:
        """Add every resource and output. Called once per rendering, on an empty template."""
        raise NotImplementedError(f"{type(self).__name__} has no build()")

    def add(self, resource: R) -> R:
        """Put a resource, or every resource that a block returned in a dataclass, into the template.

        Roles get the environment's path and permissions boundary here, so that none can miss them.
        """
        for each in _resources(resource):
            self._apply_environment(each)
            try:
                self._template.add_resource(each)
            except ValueError as error:
                raise BuildError(f"{error}; give one of the two resources another logical id") from error
        return resource

    def output(self, name: str, value: object, description: str) -> None:
        """Give a value back to whoever launches the stack. `name` is the thing and the attribute: `TopicArn`."""
        self._template.add_output(Output(name, Value=value, Description=description))

    def condition(self, name: str, test: AWSHelperFn) -> str:
        """Declare a condition decided at deploy, for the few choices that cannot be made at render."""
        return self._template.add_condition(name, test)

    def mapping(self, name: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Declare what FindInMap looks up: first key -> second key -> value. The same may be declared again."""
        declared: Mapping[str, Any] = self._template.mappings
        if declared.get(name, values) != values:
            raise BuildError(f"mapping {name} has two contents; give one of the two another name")
        self._template.add_mapping(name, dict(values))

    def rule(self, name: str, assertions: Mapping[str, AWSHelperFn | dict[str, Any]]) -> None:
        """Have CloudFormation refuse parameter values that do not fit together: sentence -> what must hold."""
        listed = [{"Assert": test, "AssertDescription": words} for words, test in assertions.items()]
        self._template.add_rule(name, {"Assertions": listed})

    def contradictions(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Parameters whose values, each good by itself, do not fit together: (name, what and what to do).

        `values` holds every parameter of the template that has a value, defaults included.
        """
        yield from ()

    @property
    def encryption_key(self) -> Ref | None:
        """The environment's customer managed key, or None where AWS keeps the keys."""
        return self.kms_key_arn if self.environment.kms_key else None

    # What a reader of blueprints calls

    def render(self, format: Format = "yaml") -> str:  # noqa: A002 - the word of the command line
        """The template's text; equal input gives equal bytes."""
        return to_text(self.template(), format)

    def template(self) -> dict[str, Any]:
        """The template as plain data, its sections in the order people read them."""
        self._template = Template()
        self._used = set()
        self.build()
        return self._assemble()

    def parameters(self) -> list[ResolvedParameter]:
        """The parameters of the last rendering, in the order of their declaration."""
        return [each.resolve(self) for name, each in self.declared_parameters().items() if name in self._used]

    @classmethod
    def declared_parameters(cls) -> dict[str, Parameter]:
        """Every parameter that some shape of this blueprint has, by its name in the template."""
        own: dict[str, Parameter] = {}
        shared: dict[str, Parameter] = {}
        for base in reversed(cls.__mro__):
            target = shared if base is Blueprint else own
            target.update({each.name: each for each in vars(base).values() if isinstance(each, Parameter)})
        return own | {name: each for name, each in shared.items() if name not in own}

    @classmethod
    def config_type(cls) -> type[Config]:
        """The Config class that `Blueprint[...]` names, found on the nearest class that names one."""
        for base in cls.__mro__:
            for origin in vars(base).get("__orig_bases__", ()):
                for argument in get_args(origin):
                    if isinstance(argument, type) and issubclass(argument, Config):
                        return argument
        return Config

    @classmethod
    def description(cls) -> str:
        """First line of the class docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    def use(self, parameter: Parameter) -> None:
        """Note that the template refers to a parameter; reading the attribute calls this."""
        self._used.add(parameter.name)

    def _apply_environment(self, resource: AWSObject) -> None:
        if not isinstance(resource, iam.Role):
            return
        properties = resource.properties
        if self.environment.role_path != "/":
            properties.setdefault("Path", self.environment.role_path)
        if self.environment.permissions_boundary:
            properties.setdefault("PermissionsBoundary", self.permissions_boundary_arn)

    def _assemble(self) -> dict[str, Any]:
        built = self._template
        resources: dict[str, dict[str, Any]] = plain(built.resources)
        if not resources:
            raise BuildError(f"{type(self).__name__}.build() added no resource; add at least one")
        parameters = self.parameters()
        sections: dict[str, Any] = {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Transform": _SAM if any(_is_serverless(each) for each in resources.values()) else None,
            "Description": self.description(),
            "Metadata": {"AWS::CloudFormation::Interface": _interface(parameters)} if parameters else None,
            "Parameters": {each.name: _described(plain(each.resource())) for each in parameters},
            "Rules": plain(built.rules),
            "Conditions": plain(built.conditions),
            "Mappings": plain(built.mappings),
            "Resources": {name: _ordered(each) for name, each in resources.items()},
            "Outputs": plain(built.outputs),
        }
        return {name: section for name, section in sections.items() if section}


def _resources(added: object) -> Iterator[AWSObject]:
    if isinstance(added, AWSObject):
        yield added
    elif dataclasses.is_dataclass(added):
        for field in dataclasses.fields(added):
            yield from _resources(getattr(added, field.name))
    elif isinstance(added, (tuple, list)):
        for each in cast("tuple[object, ...]", added):
            yield from _resources(each)
    elif added is not None and not isinstance(added, (str, Ref, AWSHelperFn)):
        raise BuildError(
            f"add() takes resources and what blocks return, got {type(added).__name__}; give it one of these"
        )


def _is_serverless(resource: Mapping[str, Any]) -> bool:
    return str(resource["Type"]).startswith("AWS::Serverless::")


def _ordered(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: resource[key] for key in _ORDER if key in resource}


def _described(parameter: dict[str, Any]) -> dict[str, Any]:
    first = {key: parameter[key] for key in ("Type", "Description") if key in parameter}
    return first | parameter


def _interface(parameters: list[ResolvedParameter]) -> dict[str, Any]:
    """Groups and labels of the console's form, in the order of declaration."""
    groups: dict[str, list[str]] = {}
    for each in parameters:
        groups.setdefault(each.declared.group, []).append(each.name)
    labels = {each.name: {"default": each.declared.label} for each in parameters if each.declared.label}
    listed = [{"Label": {"default": label}, "Parameters": names} for label, names in groups.items()]
    return {"ParameterGroups": listed} | ({"ParameterLabels": labels} if labels else {})
