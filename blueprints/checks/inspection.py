"""What a template carries inside: scripts, code and policies, each judged by the tool that knows its language.

Like cfn-lint, these tools load only for templates whose result the cache lacks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache as once
from pathlib import Path

from . import inline_code, policies, sam, scripts
from .acceptance import honour
from .cache import Cache, key, through
from .check import ENGINE, MODEL, UNREADABLE
from .finding import Finding, Source
from .template import TemplateError
from .tools import version

_TOOLS = (scripts.DISTRIBUTION, inline_code.DISTRIBUTION, policies.DISTRIBUTION, MODEL)


def inspect(sources: Sequence[Source], cache: Cache) -> list[Finding]:
    """Everything these tools find in templates, programs of SAM templates in what they expand to; cached.

    A refusal of the translator is for the linters to tell, which see the same expansion.

    Raises ToolMissingError when one of them, or the translator that a SAM template needs, is not installed.
    """
    return through(cache, sources, _key, lambda missed: _inspect(missed, cache))


def _key(source: Source) -> str:
    translator = version(sam.DISTRIBUTION) if source.is_sam else ""
    return key("inspection", _revision(), *map(version, _TOOLS), translator, source.text)


@once
def _revision() -> str:
    """The code that reads templates and judges them: whoever changes it sees its new findings."""
    return key(*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


def _inspect(sources: list[Source], cache: Cache) -> list[list[Finding]]:
    from concurrent.futures import ThreadPoolExecutor

    with sam.Expander([source for source in sources if source.is_sam], cache.beside(sam.KIND)) as expander:
        expansions = iter(expander.collect())
    expanded = [next(expansions) if source.is_sam else None for source in sources]
    # Threads are enough: most of the time goes by in the tools.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(_of, sources, expanded)
        return [honour(source, found, "inspection") for source, found in zip(sources, results, strict=True)]


def _of(source: Source, expansion: sam.Expansion | None) -> list[Finding]:
    # Policies are judged as their author wrote them: in an expansion they stand beside what SAM's own templates grant.
    try:
        found = policies.judge(source)
        for each in [source] if expansion is None else sam.expanded(source, expansion):
            found += scripts.judge(each) + inline_code.judge(each)
    except TemplateError as error:
        message = f"{error}; it cannot be inspected"
        return [Finding(source.name, 1, UNREADABLE, "error", "", message, ENGINE)]
    return found
