"""The deep gate: cfn-lint over each template, and over what each SAM template becomes.

cfn-lint spends half of its time on loading rules, in every call of its public function. Here they are loaded
once, then shared by forked workers, and only for templates whose result the cache lacks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache as once
from functools import partial
from typing import Any

from . import sam
from .acceptance import honour, unhidden
from .cache import Cache, key, through
from .finding import Finding, Severity, Source
from .tools import version
from .workers import on_every_core

DISTRIBUTION = "cfn-lint"
DEFAULT_REGIONS = ("us-east-1",)

# Part of the cache key: raise it when anything below changes what is reported.
_REVISION = "3"

# Beyond the defaults: deletion policies of what holds data, retention of what is stored, and portable ARNs.
# Not asked for: I4010, metadata for a console feature that says nothing about whether a stack works.
INCLUDED = ("I3011", "I3013", "I3042")
IGNORED = ("I4010",)

# In a SAM source `${Function.Alias}` within Fn::Sub is right, and these rules know no such attribute; they
# judge what the translator has made of it.
_NOT_ON_SAM_SOURCE = frozenset({"E1019", "E6101"})

# The expansion holds ARNs of one partition, written by the translator and not by the author. (The rule passes
# over SAM sources altogether, so portable ARNs in those are for other checks to see to.)
_NOT_ON_EXPANSION = frozenset({"I3042"})

_LONGEST_MESSAGE = 400


def lint(sources: Sequence[Source], cache: Cache, regions: Sequence[str] = DEFAULT_REGIONS) -> list[Finding]:
    """Everything cfn-lint reports of all sources, in their order.

    Raises ToolMissingError when cfn-lint, or the translator that a SAM template needs, is not installed.
    """
    asked = tuple(regions)
    return through(
        cache, sources, lambda source: _key(source, asked), lambda missed: _lint(missed, asked, cache)
    )


def _key(source: Source, regions: tuple[str, ...]) -> str:
    translator = version(sam.DISTRIBUTION) if source.is_sam else ""
    rules = ",".join((*INCLUDED, "-", *IGNORED))
    return key("lint", _REVISION, version(DISTRIBUTION), translator, rules, ",".join(regions), source.text)


def _lint(sources: list[Source], regions: tuple[str, ...], cache: Cache) -> list[list[Finding]]:
    with sam.Expander([source for source in sources if source.is_sam], cache.beside(sam.KIND)) as expander:
        _linter(regions)  # loads here while the translator loads there, and before any fork
        expansions = iter(expander.collect())
    pairs = [(source, next(expansions) if source.is_sam else sam.Expansion(None)) for source in sources]
    jobs = [job for source, expansion in pairs for job in (source, *sam.expanded(source, expansion))]
    results = iter(
        on_every_core(partial(_check, regions=regions), [unhidden(job, DISTRIBUTION) for job in jobs])
    )
    merged = (
        _merged(source, expansion, [next(results) for _ in (source, *sam.expanded(source, expansion))])
        for source, expansion in pairs
    )
    return [honour(source, found, DISTRIBUTION) for source, found in zip(sources, merged, strict=True)]


def _merged(source: Source, expansion: sam.Expansion, results: list[list[Finding]]) -> list[Finding]:
    """Findings of a source, of the translator, and what the expansion adds to them."""
    own, *rest = results
    if source.is_sam:
        own = [finding for finding in own if finding.rule not in _NOT_ON_SAM_SOURCE]
    seen = {(finding.rule, finding.where, finding.message) for finding in own}
    added = [
        finding
        for findings in rest
        for finding in findings
        if (finding.rule, finding.where, finding.message) not in seen
        and finding.rule not in _NOT_ON_EXPANSION
        and sam.concerns_author(finding, expansion)
    ]
    return own + sam.findings(source, expansion) + added


@once
def _linter(regions: tuple[str, ...]) -> tuple[Any, Any]:
    """cfn-lint's configuration and rules."""
    import logging

    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    # It reports what it cannot decode as a finding and as a log line; the finding is enough.
    logging.getLogger("cfnlint").addHandler(logging.NullHandler())
    # Merging, because otherwise our lists would displace those in a template's own Metadata.
    config = ConfigMixIn(
        regions=list(regions),
        include_checks=list(INCLUDED),
        ignore_checks=list(IGNORED),
        merge_configs=True,
    )
    # Results are cached and shared, so a .cfnlintrc of whoever runs this must not have a say.
    config.file_args = {}
    return config, Runner(config).rules


def _check(source: Source, regions: tuple[str, ...]) -> list[Finding]:
    import tempfile

    from cfnlint.runner import run_template_by_file_path

    config, rules = _linter(regions)
    # A file, as the command line has it: the rules about size measure the file, and decoding is the same.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "template")
        with open(path, "wb") as file:
            file.write(source.text.encode("utf-8", "surrogatepass"))
        matches = list(run_template_by_file_path(path, config, rules, False))
    return sorted({_finding(source, match, path) for match in matches})


def _finding(source: Source, match: Any, path: str) -> Finding:
    message = " ".join(str(match.message).replace(path, source.name).split())
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    # What we ask for beyond the defaults is asked for to be acted on, so informational counts as a warning.
    severity: Severity = "error" if match.rule.severity == "error" else "warning"
    where = ".".join(str(step) for step in getattr(match, "path", None) or ())
    return Finding(
        source.name, int(match.linenumber), str(match.rule.id), severity, where, message, DISTRIBUTION
    )
