"""Acceptances: honoured by every engine, stale ones told, and some things never accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blueprints.checks import lint, validation
from blueprints.checks.acceptance import (
    ALIASES,
    NEVER,
    REFUSED,
    STALE,
    acceptances,
    aliases,
    blocks,
    engine_of,
)
from blueprints.checks.cache import Cache
from blueprints.checks.check import checks, examine
from blueprints.checks.finding import Finding, Source

REASON = "The zone is the one where the reserved capacity is; another account reserves its own."
TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  Subnet:
    Type: AWS::EC2::Subnet
    %s
    Properties: {CidrBlock: 10.0.0.0/24, VpcId: !Ref Vpc, AvailabilityZone: us-east-1a}
"""
ENGINES = (lint.lint, validation.validate, examine)


def source(*ids: str, reason: str = REASON) -> Source:
    return Source("network.yaml", TEMPLATE % f"Metadata: {json.dumps(blocks(ids, reason))}")


def found(text: Source, tmp_path: Path) -> list[Finding]:
    return [each for engine in ENGINES for each in engine([text], Cache(tmp_path, "accepted", print))]


def test_what_is_accepted_is_told_by_no_engine(tmp_path: Path) -> None:
    bare = Source("network.yaml", TEMPLATE % "Metadata: {}")
    assert {each.rule for each in found(bare, tmp_path)} == {"W3010", "CB032"}
    assert found(source("W3010", "CB032"), tmp_path) == []


def test_only_the_resource_that_accepts_is_spared(tmp_path: Path) -> None:
    _, subnet = (TEMPLATE % "Metadata: {}").split("  Subnet:")
    text = source("W3010", "CB032").text + f"  Other:{subnet}".replace("10.0.0.0/24", "10.0.1.0/24")
    told = {(each.rule, each.where.split(".")[1]) for each in found(Source("network.yaml", text), tmp_path)}
    assert told == {("W3010", "Other"), ("CB032", "Other")}


@pytest.mark.parametrize("stale", ["W3005", "CB021", "F3004"])
def test_an_acceptance_that_accepts_nothing_is_told(stale: str, tmp_path: Path) -> None:
    told = found(source("W3010", "CB032", stale), tmp_path)
    assert [(each.rule, each.where, each.line) for each in told] == [(STALE, "Resources.Subnet", 6)]
    assert told[0].message.startswith(f"{stale} is accepted here and not reported")


@pytest.mark.parametrize("what", NEVER)
def test_what_nothing_excuses_is_refused_and_stays_reported(what: str, tmp_path: Path) -> None:
    for rule in NEVER[what]:
        told = examine([source("CB032", rule)], Cache(tmp_path, "refused", print))
        # The whole acceptance falls, so what else it names is reported again.
        assert {each.rule for each in told} == {REFUSED, "CB032"}
        assert any(f"{rule} reports {what}" in each.message for each in told)


@pytest.mark.parametrize(
    ("ids", "reason", "told"),
    [
        ((), REASON, "accepts no rule"),
        (("W3010", "availability"), REASON, "'availability' is no rule's id"),
        (("W3010",), "is fine", "explains little"),
    ],
)
def test_an_acceptance_of_nothing_or_without_reason_is_refused(
    ids: tuple[str, ...], reason: str, told: str, tmp_path: Path
) -> None:
    messages = [
        each.message for each in examine([source(*ids, reason=reason)], Cache(tmp_path, "refused", print))
    ]
    assert any(told in message for message in messages)


def test_plain_cfn_lint_honours_the_block(tmp_path: Path) -> None:
    """Whoever lints our templates with their own linter sees no more than we do."""
    for text, told in ((source("W3010", "CB032").text, False), (TEMPLATE % "Metadata: {}", True)):
        path = tmp_path / "network.yaml"
        path.write_text(text)
        done = subprocess.run(
            [Path(sys.executable).with_name("cfn-lint"), path],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert ("W3010" in done.stdout) is told, done.stderr


def test_a_stranger_s_own_suppression_stays(tmp_path: Path) -> None:
    ignored = Source("network.yaml", TEMPLATE % "Metadata: {cfn-lint: {config: {ignore_checks: [W3010]}}}")
    assert lint.lint([ignored], Cache(tmp_path, "lint", print)) == []


def test_the_expansion_of_a_sam_template_is_spared_too(tmp_path: Path) -> None:
    text = source("W3010", "CB032").text.replace(
        "Resources:", "Transform: AWS::Serverless-2016-10-31\nResources:"
    )
    text += "  Table: {Type: AWS::Serverless::SimpleTable}\n"
    told = found(Source("network.yaml", text), tmp_path)
    assert {each.where.split(".")[1] for each in told} == {"Table"}


def test_each_tool_s_block_is_written_where_that_tool_has_the_rule() -> None:
    written = blocks(("CB105", "F3004", "E9004", "CKV_AWS_117", "LAMBDA_INSIDE_VPC"), REASON)
    assert written == {
        "compute-blueprints": {
            "accepted": [
                {"ids": ["CB105", "F3004", "E9004", "CKV_AWS_117", "LAMBDA_INSIDE_VPC"], "reason": REASON}
            ]
        },
        "cfn-lint": {"config": {"ignore_checks": ["E3004", "E1010"]}},
        "checkov": {"skip": [{"id": "CKV_AWS_117", "comment": REASON}]},
        "guard": {"SuppressedRules": ["LAMBDA_INSIDE_VPC"]},
    }
    assert list(blocks(("CB105",), REASON)) == ["compute-blueprints"]


def test_both_engines_know_the_aliases_and_ours_are_checks() -> None:
    import cloudformation_validate as engines

    validators = {str(rule.id) for rule in engines.CelEngine().list_rules()}
    linters = set(lint._linter(lint.DEFAULT_REGIONS)[1].keys())  # pyright: ignore[reportPrivateUsage]
    ours = {each.id for each in checks()}
    assert [pair for pair in ALIASES if pair[0] not in validators or pair[1] not in linters] == []
    never = {rule for rules in NEVER.values() for rule in rules}
    assert {rule for rule in never if engine_of(rule) == "blueprints"} <= ours
    assert {rule for rule in never if engine_of(rule) == "cfn-lint"} <= linters
    assert {rule for rule in never if engine_of(rule) == "cloudformation-validate"} <= validators
    assert not {STALE, REFUSED} & ours
    assert aliases("E3004") == ("F3004",)


def test_what_is_no_acceptance_is_passed_over() -> None:
    for odd in ("7", "{accepted: 7}", "{accepted: [7]}", "{accepted: [{ids: 7}]}", "[]"):
        text = TEMPLATE % f"Metadata: {{compute-blueprints: {odd}}}"
        assert all(each.ids == () for each in acceptances(Source("odd.yaml", text)))
    assert acceptances(Source("none.yaml", "compute-blueprints: [")) == []
