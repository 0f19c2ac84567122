"""CloudFormation Guard: rule files over templates as they are written, by the evaluator inside our validator."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import cloudformation_validate as engines

from blueprints.checks.finding import Source
from blueprints.checks.template import load

from .omissions import Finding

# What Guard reports is a rule that failed; severities are not Guard's.
_ONLY_GUARD = engines.ValidateConfig(disable_builtin_rules=True, severity_level=engines.Severity.INFO)

_TYPE = re.compile(r"AWS::\w+::\w+")
_COMMENT = re.compile(r"#.*")


def findings(sources: Sequence[Source], rules: Sequence[Path]) -> list[Finding]:
    """What the rules object to. A resource's `Metadata: guard: SuppressedRules` is obeyed.

    The Registry's rules read that metadata themselves, Control Tower's do not.
    """
    given = [
        engines.ExternalRuleSource(name=path.name, content=text)
        for path in rules
        if concerns(text := path.read_text(), sources)
    ]
    engine = engines.CelEngine(engines.EngineConfig(guard_rules=given))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [finding for each in pool.map(partial(_of, engine), sources) for finding in each]


def concerns(rule: str, sources: Sequence[Source]) -> bool:
    """Whether a rule file is about a type that some template may have; most are not, and each takes its time."""
    types = set(_TYPE.findall(_COMMENT.sub("", rule)))
    return not types or any(each in source.text for each in types for source in sources)


def _of(engine: Any, source: Source) -> list[Finding]:
    report: Any = engine.validate_template(engines.TemplateContent(source.text, source.name), _ONLY_GUARD)
    resources = load(source.text)["Resources"]
    found: set[Finding] = set()
    for each in report.diagnostics:
        rule, resource = str(each.rule_id), str(each.entity.logical_id if each.entity else "")
        if rule not in _suppressed(resources.get(resource, {})):
            found.add(
                Finding(source.name, resource, rule, _remedy(str(each.rule_description or each.message)))
            )
    return sorted(found)


def _suppressed(resource: dict[str, Any]) -> list[str]:
    metadata = resource.get("Metadata", {}).get("guard", {})
    return cast("list[str]", metadata.get("SuppressedRules", []))


def _remedy(description: str) -> str:
    """The line of a rule's own text that says what to do, or the first that says something."""
    lines = [line.strip() for line in description.splitlines() if line.strip()]
    fixes = [line for line in lines if line.lower().lstrip("[").startswith("fix")]
    return (fixes or lines or [""])[0]
