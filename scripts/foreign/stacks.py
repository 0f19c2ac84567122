"""The stacks of this repository as another runner sees them: settings and parameters in, a template out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprints.checks.template import load
from blueprints.core import BlueprintError, Environment
from blueprints.core.config import parse
from blueprints.core.render import AnyBlueprint, load_class
from blueprints.core.stack_file import discover, load_environment, load_stack


@dataclass(frozen=True)
class Stack:
    """A stack file, and the template and the parameters that are committed for it."""

    env: str
    name: str
    module: str
    class_name: str
    settings: Mapping[str, Any]
    parameters: Mapping[str, str]
    template: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Of the committed template, below the repository."""
        return f"templates/{self.env}/{self.name}.yaml"


def all_stacks(root: Path) -> list[Stack]:
    """Every stack of the repository. Raises BlueprintError for a stack file with faults."""
    return [_stack(root, path) for path in discover(root / "stacks")]


def _stack(root: Path, path: Path) -> Stack:
    read = load_stack(path, load_environment(path.parent))
    module, _, class_name = read.blueprint.partition(":")
    committed = root / "templates" / read.env
    values = json.loads((committed / f"{read.name}.parameters.json").read_text())
    return Stack(
        read.env,
        read.name,
        module,
        class_name,
        {"config": dict(read.config), "environment": read.environment.environment.model_dump(mode="json")},
        {each["ParameterKey"]: each["ParameterValue"] for each in values},
        load((committed / f"{read.name}.yaml").read_text()),
    )


def rendered(module: str, class_name: str, settings: Mapping[str, Any], file: str) -> dict[str, Any]:
    """What a class renders to by itself. Raises BlueprintError with the faults of `config` and `environment`."""
    blueprint: type[AnyBlueprint] = load_class(f"{module}:{class_name}")
    config = parse(blueprint.config_type(), settings.get("config", {}), file, "config")
    environment = parse(Environment, settings.get("environment", {}), file, "environment")
    faults = [fault for each in (config, environment) if isinstance(each, list) for fault in each]
    if isinstance(config, list) or isinstance(environment, list):
        raise BlueprintError(faults)
    return blueprint(config, environment).template()
