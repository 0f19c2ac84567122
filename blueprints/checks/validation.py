"""The fast gate: cloudformation-validate over each template, and over what each SAM template becomes.

It is a compiled engine that needs half a second to start and some milliseconds a template, so it runs inside
every render; cfn-lint, which finds more and takes longer, is the gate of `lint`.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache as once
from typing import Any

from . import sam
from .acceptance import honour
from .cache import Cache, key, through
from .finding import Finding, Severity, Source
from .template import MOST_BYTES, MOST_RESOURCES, MOST_UNFOLDED, TemplateError, load, unfolded
from .tools import version

DISTRIBUTION = "cloudformation-validate"

# Part of the cache key: raise it when anything below changes what is reported.
_REVISION = "3"

# Rules about names of resources. In a SAM source they fire on what only the translator will create
# (`Fn.Version`, `FnUrl`, `FnRole`); in its expansion the same references are checked against what is there.
_REFERENCE_RULES = frozenset({"E3005", "E9004", "F1010", "F1018", "F1020", "F6101"})

# The engine lists every allowed value in some messages; the offending one always stands at the head.
_LONGEST_MESSAGE = 400

_FEW_CONDITIONS = 40  # mentions, which cannot unfold to many parts


def validate(sources: Sequence[Source], cache: Cache) -> list[Finding]:
    """Errors and warnings of all sources, in their order. Starts engine and child only on a cache miss.

    Raises ToolMissingError when the engine, or the translator that a SAM template needs, is not installed.
    """
    engine = version(DISTRIBUTION)
    return through(
        cache, sources, lambda source: _key(source, engine), lambda missed: _validate(missed, cache)
    )


def _key(source: Source, engine: str) -> str:
    translator = version(sam.DISTRIBUTION) if source.is_sam else ""
    return key("validation", _REVISION, engine, translator, source.text)


def _validate(sources: list[Source], cache: Cache) -> list[list[Finding]]:
    with sam.Expander([source for source in sources if source.is_sam], cache.beside(sam.KIND)) as expander:
        # In this order, so that the engine loads here while the translator loads there.
        own = _on_every_core(_of_source, sources)
        expansions = iter(expander.collect())
    merged = (
        found + _of_expansion(source, next(expansions), found) if source.is_sam else found
        for source, found in zip(sources, own, strict=True)
    )
    return [honour(source, found, DISTRIBUTION) for source, found in zip(sources, merged, strict=True)]


def _on_every_core(
    check: Callable[[Source], list[Finding]], sources: Sequence[Source]
) -> list[list[Finding]]:
    """Check sources side by side: the engine is one object for all threads, and runs outside of Python's lock."""
    if len(sources) < 2:
        return [check(source) for source in sources]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(check, sources))


def _of_source(source: Source) -> list[Finding]:
    found = _findings(source)
    return [finding for finding in found if finding.rule not in _REFERENCE_RULES] if source.is_sam else found


def _of_expansion(source: Source, expansion: sam.Expansion, known: list[Finding]) -> list[Finding]:
    """The translator's refusals, or what its result adds to the findings of the source."""
    seen = {(finding.rule, finding.where, finding.message) for finding in known}
    return sam.findings(source, expansion) + [
        finding
        for template in sam.expanded(source, expansion)
        for finding in _findings(template)
        if (finding.rule, finding.where, finding.message) not in seen
        and sam.concerns_author(finding, expansion)
    ]


def _findings(source: Source) -> list[Finding]:
    oversize = _oversize(source)
    return [oversize] if oversize else _diagnosed(source)


def _oversize(source: Source) -> Finding | None:
    size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        return _own(source, "E1002", f"the body has {size} bytes; CloudFormation takes {MOST_BYTES}")
    # Neither is to be had without its word, so only templates that have that often are parsed for it.
    if source.text.count("Type") > MOST_RESOURCES or source.text.count("Condition") > _FEW_CONDITIONS:
        return _overgrown(source)
    return None


def _overgrown(source: Source) -> Finding | None:
    """What the engine would take minutes for: more resources, or conditions, than any stack has."""
    try:
        template = load(source.text)
        count, parts = len(template.get("Resources") or ()), unfolded(template)
    except (TemplateError, TypeError):
        return None  # the engine reports what is wrong with the text
    if count > MOST_RESOURCES:
        return _own(source, "E3010", f"{count} resources; CloudFormation takes {MOST_RESOURCES}")
    if parts > MOST_UNFOLDED:
        return _own(
            source, "F0000", f"conditions unfold to over {MOST_UNFOLDED:,} parts; name each fewer times"
        )
    return None


def _own(source: Source, rule: str, message: str) -> Finding:
    return Finding(source.name, 1, rule, "error", "", message, DISTRIBUTION)


def _engines() -> Any:
    """The engine's package, loaded at the first miss and not before."""
    import cloudformation_validate

    return cloudformation_validate


_BUILDING = threading.Lock()


@once
def _engine() -> Any:
    """One engine a process: it compiles its rules when it is built."""
    # The engine frees itself through its module, which at exit may be gone before it.
    atexit.register(_engine.cache_clear)
    return _engines().CelEngine()


def _diagnosed(source: Source) -> list[Finding]:
    engines = _engines()
    # The engine takes a byte order mark for a part of the first key.
    content = engines.TemplateContent(source.text.removeprefix("\ufeff"), source.name)
    config = engines.ValidateConfig(
        severity_level=engines.Severity.WARN, detail_level=engines.DetailLevel.STANDARD
    )
    try:
        with _BUILDING:
            engine = _engine()
        report: Any = engine.validate_template(content, config)
    except (engines.ValidationError, ValueError) as error:
        return [_own(source, "F0000", f"cannot be validated: {' '.join(str(error).split())}")]
    found = {_finding(source, diagnostic) for diagnostic in report.diagnostics}
    if report.status is engines.ReportStatus.ANALYSIS_INCOMPLETE:
        found.add(_own(source, "F0000", "too complex to be analysed to the end; split the template"))
    return sorted(found)


def _finding(source: Source, diagnostic: Any) -> Finding:
    severity: Severity = "warning" if diagnostic.severity.name == "WARN" else "error"
    message = str(diagnostic.message)
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    line = int(diagnostic.start_line or 1)
    return Finding(
        source.name, line, str(diagnostic.rule_id), severity, _where(diagnostic), message, DISTRIBUTION
    )


def _where(diagnostic: Any) -> str:
    """One spelling for the engine's two: `Properties.Cidr` within a resource, `Parameters/Name` elsewhere."""
    path = str(diagnostic.property_path or "").replace("/", ".")
    entity = diagnostic.entity
    if entity is None or entity.entity_type.name != "RESOURCE":
        return path
    resource = f"Resources.{entity.logical_id}"
    return path if path == resource or path.startswith(f"{resource}.") else f"{resource}.{path}".rstrip(".")
