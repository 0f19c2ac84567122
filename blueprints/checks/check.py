"""Checks of our own: failures that hurt users again and again, and that no linter looks for.

A check is one decorated function in a module of `rules/`, one module a topic. It takes a Model and yields Hits.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import sam
from .acceptance import honour, refused
from .cache import Cache, key, through
from .finding import Finding, Severity, Source
from .model import Model
from .template import MOST_BYTES, TemplateError
from .tools import version
from .workers import on_every_core

ENGINE = "blueprints"
MODEL = "cloudformation-validate"
UNREADABLE = "CB000"  # no template to check; every other id is a check's


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
    of_source: bool
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
    of_source: bool = False,
) -> Callable[[Callable[[Model], Iterator[Hit]]], Callable[[Model], Iterator[Hit]]]:
    """Register a function as a check. `harm` is what happens in real life, `source` where that is documented.

    `of_source` is for what only the author of a SAM template can have written, and the translator writes too.
    """

    def register(find: Callable[[Model], Iterator[Hit]]) -> Callable[[Model], Iterator[Hit]]:
        if id in _CHECKS:
            raise ValueError(
                f"{id} is {_CHECKS[id].find.__qualname__} already; give {find.__qualname__} another id"
            )
        _CHECKS[id] = Check(id, title, harm, source, remedy, severity, of_source, find)
        return find

    return register


def checks() -> list[Check]:
    """Every check, in the order of its id."""
    package = importlib.import_module(".rules", __package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f".rules.{module.name}", __package__)
    return [_CHECKS[name] for name in sorted(_CHECKS)]


def run(source: Source, chosen: Sequence[Check] | None = None) -> list[Finding]:
    """What checks find in one template as it stands. Raises TemplateError for text that is none."""
    model = Model(source)
    return sorted(_finding(model, each, hit) for each in chosen or checks() for hit in each.find(model))


def examine(sources: Sequence[Source], cache: Cache) -> list[Finding]:
    """What all checks find in templates, SAM templates as what they expand to; unchanged ones from the cache."""
    revision = _revision()
    return through(
        cache, sources, lambda source: _key(source, revision), lambda missed: _examine(missed, cache)
    )


def _key(source: Source, revision: str) -> str:
    translator = version(sam.DISTRIBUTION) if source.is_sam else ""
    return key("check", revision, version(MODEL), translator, source.text)


def _revision() -> str:
    """The checks' own code: whoever changes a check sees its new findings."""
    folder = Path(__file__).parent
    return key(*(path.read_bytes() for path in sorted([*folder.glob("*.py"), *folder.glob("rules/*.py")])))


def _examine(sources: list[Source], cache: Cache) -> list[list[Finding]]:
    with sam.Expander([source for source in sources if source.is_sam], cache.beside(sam.KIND)) as expander:
        expansions = iter(expander.collect())
    jobs = [(source, next(expansions) if source.is_sam else None) for source in sources]
    checks()  # loads here, before any fork
    return on_every_core(_told, jobs)


def _told(job: tuple[Source, sam.Expansion | None]) -> list[Finding]:
    """All there is to say of one template, acceptances honoured."""
    source, expansion = job
    found = _of(source) if expansion is None else _of_sam(source, expansion)
    return honour(source, found, ENGINE) + refused(source)


def _of(source: Source, chosen: Sequence[Check] | None = None) -> list[Finding]:
    refused = _refused(source)
    if refused:
        return [Finding(source.name, 1, UNREADABLE, "error", "", refused, ENGINE)]
    try:
        return run(source, chosen)
    except TemplateError as error:
        return [Finding(source.name, 1, UNREADABLE, "error", "", f"{error}; it cannot be checked", ENGINE)]


def _refused(source: Source) -> str:
    """Why a text is not even read: the model's time grows with the square of the resources."""
    size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        return f"a body of {size:,} bytes; CloudFormation takes {MOST_BYTES:,}"
    return ""


def _of_sam(source: Source, expansion: sam.Expansion) -> list[Finding]:
    """Checks of what the author writes see the source; the others what CloudFormation will see."""
    told = _of(source, [each for each in checks() if each.of_source])
    told += sam.findings(source, expansion)
    others = [each for each in checks() if not each.of_source]
    for expanded in sam.expanded(source, expansion):
        told += [finding for finding in _of(expanded, others) if sam.concerns_author(finding, expansion)]
    return told


def at(resource: str, path: str = "") -> tuple[str, ...]:
    """The path of something in a resource: `at("Vpc", "Properties.CidrBlock")`."""
    return ("Resources", resource, *(path.split(".") if path else ()))


def _finding(model: Model, found: Check, hit: Hit) -> Finding:
    message = f"{hit.what}; {found.remedy}"
    line = model.line(*hit.path)
    return Finding(model.source.name, line, found.id, found.severity, ".".join(hit.path), message, ENGINE)
