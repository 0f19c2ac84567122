"""Blueprints as other runners ask for them: CFNgin's class, Sceptre's function.

Both take `config` and `environment` as stack files and environment files write them. Neither runner is imported
here: CFNgin looks for names on a class, Sceptre for a function in a file, and what they find is made here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol, cast

from .core import Blueprint, BlueprintError, Environment, Fault
from .core.config import parse, short
from .core.emit import to_json

_SETTINGS = ("config", "environment")

AnyBlueprint = Blueprint[Any]


def sceptre_template(blueprint: type[AnyBlueprint]) -> Callable[[object], str]:
    """The function that a Python template of Sceptre calls `sceptre_handler`: user data in, JSON out.

    The user data holds `config` and `environment`; every fault in them is raised in one BlueprintError.
    """

    def handler(user_data: object) -> str:
        return _made(blueprint, user_data, "", "sceptre_user_data").render("json")

    return handler


def cfngin_class(blueprint: type[AnyBlueprint]) -> type[CfnginBlueprint]:
    """The class that a CFNgin stack names as its `class_path`.

    Of the stack's `variables`, `config` and `environment` shape the template; every other one is a parameter of it.
    """
    return type(
        blueprint.__name__, (CfnginBlueprint,), {"blueprint": blueprint, "__doc__": blueprint.__doc__}
    )


class CfnginVariable(Protocol):
    """A variable of a stack whose look-ups CFNgin has resolved."""

    @property
    def name(self) -> str:
        """As the stack's definition has it."""
        ...

    @property
    def value(self) -> Any:
        """Plain data."""
        ...


class CfnginBlueprint:
    """One stack of CFNgin: what runway 2.8 asks of a class that `class_path` names, and nothing else.

    A stack's `description` and `mappings` are not taken: the template is what the blueprint renders.
    """

    blueprint: ClassVar[type[AnyBlueprint]]

    def __init__(self, name: str, context: object, **_: object) -> None:
        self.name = name
        self.context = context
        self.parameter_values: dict[str, Any] = {}
        self._template: dict[str, Any] | None = None

    def resolve_variables(self, provided_variables: Iterable[CfnginVariable]) -> None:
        """Take the stack's variables. Raises BlueprintError with every fault in them."""
        given = {each.name: each.value for each in provided_variables}
        settings = {name: given.pop(name) for name in _SETTINGS if name in given}
        self._template = _made(self.blueprint, settings, f"stack {self.name}", "variables").template()
        self.parameter_values = given
        unknown = given.keys() - self.parameter_definitions.keys()
        what = f"unknown; this template takes {', '.join([*_SETTINGS, *self.parameter_definitions])}"
        if unknown:
            raise BlueprintError(Fault(f"stack {self.name}", f"variables.{name}", what) for name in unknown)

    @property
    def rendered(self) -> str:
        """The template as JSON."""
        return to_json(self._built())

    @property
    def version(self) -> str:
        """Eight hexadecimal digits that change with the template; CFNgin makes them part of its name in S3."""
        return hashlib.sha256(self.rendered.encode()).hexdigest()[:8]

    @property
    def requires_change_set(self) -> bool:
        """Whether the template has a transform, which CloudFormation takes in change sets only."""
        return "Transform" in self._built()

    @property
    def parameter_definitions(self) -> dict[str, Any]:
        """The template's parameters."""
        return self._built().get("Parameters", {})

    @property
    def required_parameter_definitions(self) -> dict[str, Any]:
        """Those of them that have no default."""
        return {name: each for name, each in self.parameter_definitions.items() if "Default" not in each}

    @property
    def output_definitions(self) -> dict[str, Any]:
        """The template's outputs."""
        return self._built().get("Outputs", {})

    def _built(self) -> dict[str, Any]:
        if self._template is None:  # asked before CFNgin gave variables: the template without any
            self.resolve_variables(())
        return cast("dict[str, Any]", self._template)


def _made(blueprint: type[AnyBlueprint], settings: object, file: str, root: str) -> AnyBlueprint:
    """A blueprint from `config` and `environment`. Raises BlueprintError with every fault in them."""
    given = _mapping(settings, file, root)
    faults = [
        Fault(file, f"{root}.{key}", f"unknown key; write {' and '.join(_SETTINGS)}")
        for key in given.keys() - set(_SETTINGS)
    ]
    where = f"{root}.config"
    config = parse(blueprint.config_type(), _mapping(given.get("config"), file, where), file, where)
    where = f"{root}.environment"
    environment = parse(Environment, _mapping(given.get("environment"), file, where), file, where)
    if isinstance(config, list):
        faults += config
    if isinstance(environment, list):
        faults += environment
    if faults or isinstance(config, list) or isinstance(environment, list):
        raise BlueprintError(faults)
    return blueprint(config, environment)


def _mapping(value: object, file: str, where: str) -> Mapping[str, Any]:
    """Settings, or none where nothing is given. Raises BlueprintError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        what = f"got {short(value)}; write settings, one `name: value` a line"
        raise BlueprintError(Fault(file, where, what))
    return cast("Mapping[str, Any]", value)
