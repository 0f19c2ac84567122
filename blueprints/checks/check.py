"""Checks of our own: failures that hurt users again and again, and that no linter looks for.

A check is one decorated function in a module of `rules/`, one module a topic. It takes a Model and yields Hits.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .finding import Finding, Severity, Source
from .model import Model

ENGINE = "blueprints"


@dataclass(frozen=True)
class Hit:
    """One place that a check objects to: a path in the template, and what stands there."""

    path: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Check:
    """A check with what its reader needs: what it is called, what it spares them, where that is known from."""

    id: str
    title: str
    harm: str
    source: str
    remedy: str
    severity: Severity
    find: Callable[[Model], Iterator[Hit]]

    @property
    def topic(self) -> str:
        """The module it stands in."""
        return self.find.__module__.rpartition(".")[2]


_CHECKS: dict[str, Check] = {}


def check(
    id: str,  # noqa: A002 - what every linter calls it
    title: str,
    *,
    harm: str,
    source: str,
    remedy: str,
    severity: Severity = "error",
) -> Callable[[Callable[[Model], Iterator[Hit]]], Callable[[Model], Iterator[Hit]]]:
    """Register a function as a check. `harm` is what happens in real life, `source` where that is documented."""

    def register(find: Callable[[Model], Iterator[Hit]]) -> Callable[[Model], Iterator[Hit]]:
        if id in _CHECKS:
            raise ValueError(
                f"{id} is {_CHECKS[id].find.__qualname__} already; give {find.__qualname__} another id"
            )
        _CHECKS[id] = Check(id, title, harm, source, remedy, severity, find)
        return find

    return register


def checks() -> list[Check]:
    """Every check, in the order of its id."""
    package = importlib.import_module(".rules", __package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f".rules.{module.name}", __package__)
    return [_CHECKS[name] for name in sorted(_CHECKS)]


def run(source: Source) -> list[Finding]:
    """What all checks find in a template. Raises TemplateError for text that is none."""
    model = Model(source)
    return sorted(_finding(model, each, hit) for each in checks() for hit in each.find(model))


def at(resource: str, path: str = "") -> tuple[str, ...]:
    """The path of something in a resource: `at("Vpc", "Properties.CidrBlock")`."""
    return ("Resources", resource, *(path.split(".") if path else ()))


def _finding(model: Model, found: Check, hit: Hit) -> Finding:
    message = f"{hit.what}; {found.remedy}"
    line = model.line(*hit.path)
    return Finding(model.source.name, line, found.id, found.severity, ".".join(hit.path), message, ENGINE)
