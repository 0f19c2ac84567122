"""The functions of a stack, as the function executor runs them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..package.asset import Workshop
from ..package.places import FUNCTIONS, places
from .functions import FunctionSpec, from_inline
from .stack import InlineCode, Stack

KIND = "AWS::Lambda::Function"

# Lambda Developer Guide, "Lambda quotas" and AWS::Lambda::Function: what a function has that says nothing.
_TIMEOUT, _MEMORY = 3, 128


def specs(stack: Stack, workshop: Path, names: Iterable[str] | None = None) -> dict[str, FunctionSpec]:
    """Every function of a stack by its logical id, or those of these names; `stack.physical` has to know them.

    Code beside the template is packaged into `workshop`, dependencies included. Raises BlueprintError for code that
    cannot be packaged and for runtimes that this machine does not run.
    """
    wanted = stack.resources(KIND) if names is None else names
    return {name: _spec(stack, name, workshop) for name in wanted}


def _spec(stack: Stack, name: str, workshop: Path) -> FunctionSpec:
    physical = stack.physical[name]
    reserved: Any = stack.get(name, "Properties.ReservedConcurrentExecutions", None)
    logging: Any = stack.get(name, "Properties.LoggingConfig", {})
    return FunctionSpec(
        name=name,
        physical_name=physical.ref,
        arn=physical.attributes["Arn"],
        handler=str(stack.get(name, "Properties.Handler")),
        runtime=str(stack.get(name, "Properties.Runtime")),
        code=_archive(stack, name, workshop),
        environment={**_logging(logging), **stack.environment(name)},
        timeout=float(stack.get(name, "Properties.Timeout", _TIMEOUT)),
        memory=int(stack.get(name, "Properties.MemorySize", _MEMORY)),
        concurrency=None if reserved is None else int(reserved),
        log_group=logging.get("LogGroup"),
    )


def _logging(given: dict[str, Any]) -> dict[str, str]:
    """LoggingConfig, as Lambda hands it to the runtime.

    Developer Guide, "Configuring JSON and plain text log formats": with JSON, and only then, there is a level, INFO.
    """
    if given.get("LogFormat") != "JSON":
        return {}
    return {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": str(given.get("ApplicationLogLevel", "INFO")),
    }


def _archive(stack: Stack, name: str, workshop: Path) -> bytes:
    code = stack.code(name)
    if isinstance(code, InlineCode):
        return from_inline(code.text)
    place = next(
        each for each in places(copy.deepcopy(stack.source)) if each.owner == name and each.kind in FUNCTIONS
    )
    return Workshop(workshop).of_path(place, code.path).file.read_bytes()
