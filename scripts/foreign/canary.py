"""The canary: a bad template in every run, so that a tool which no longer sees, or no longer spares, is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from blueprints.checks.finding import Source

from .omissions import Finding

NAME = "canary"

# Tool -> rules it has to find, with the resource. Both of Guard's sets have one.
EXPECTED = {
    "guard": {
        ("EC2_SECURITY_GROUP_INGRESS_OPEN_TO_WORLD_RULE", "Open"),
        ("cloudwatch_log_group_retention_period_check", "Kept"),
    },
    "checkov": {("CKV_AWS_24", "Open"), ("CKV_AWS_158", "Kept")},
}


def source() -> Source:
    """The template."""
    return Source(NAME, (Path(__file__).parent / "canary.yaml").read_text())


def faults(tool: str, findings: Sequence[Finding]) -> Iterator[str]:
    """What a tool missed in the canary, and what it found although the resource's metadata accepts it."""
    found = {(each.rule, each.resource) for each in findings if each.template == NAME}
    for rule, resource in sorted(EXPECTED[tool]):
        if (rule, resource) not in found:
            yield f"{rule} does not fire at {resource} of canary.yaml: the tool does not judge"
        if (rule, f"Accepted{resource}") in found:
            yield f"{rule} fires at Accepted{resource} of canary.yaml, whose metadata accepts it"
