"""Findings as SARIF 2.1.0, which code hosts show beside the line of a pull request.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub, "SARIF support for code scanning".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import sam
from .acceptance import RULES
from .check import ENGINE, UNREADABLE, checks
from .finding import Finding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(found: Sequence[Finding], version: str) -> dict[str, Any]:
    """One run with every rule that a finding names, and a result for each finding."""
    rules = _rules({finding.rule for finding in found})
    at = {rule["id"]: index for index, rule in enumerate(rules)}
    driver = {"name": ENGINE, "version": version, "rules": rules}
    results = [{**_result(finding), "ruleIndex": at[finding.rule]} for finding in found]
    return {
        "version": "2.1.0",
        "$schema": _SCHEMA,
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _rules(named: set[str]) -> list[dict[str, Any]]:
    """Those of the rules that are named, with what their reader needs."""
    known = {each.id: (each.title, f"{each.harm} Source: {each.source}.", each.remedy) for each in checks()}
    known |= RULES
    known[UNREADABLE] = ("no template", "What cannot be read cannot be checked.", "give a template")
    plain = (name for name in sorted(named) if name not in known)
    described = [_rule(name, *known[name]) for name in sorted(named & known.keys())]
    return described + [{"id": name} for name in plain]


def _rule(name: str, title: str, harm: str, remedy: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": harm},
        "help": {"text": f"{remedy[:1].upper()}{remedy[1:]}."},
    }


def _result(finding: Finding) -> Mapping[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.template.removesuffix(sam.SUFFIX))},
            "region": {"startLine": max(finding.line, 1)},
        }
    }
    if finding.where:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.where}]
    return {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": finding.message},
        "locations": [location],
    }


def _uri(name: str) -> str:
    """A path as a reference relative to where the command ran; one from elsewhere as it is."""
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
