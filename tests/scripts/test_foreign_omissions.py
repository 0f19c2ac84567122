"""Omissions: what the file must look like, what an entry covers, and when it is stale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blueprints.checks.acceptance import blocks
from blueprints.checks.finding import Source
from blueprints.core import BlueprintError
from scripts.foreign.omissions import Finding, Omission, load, remaining, stale, unaccepted

ENTRY = """
- tool: checkov
  rule: CKV_AWS_117
  harm: A function outside of a VPC reaches any address.
  because: The functions speak to DynamoDB alone and hold no secret.
  until: A function needs what stands in a VPC.
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "omissions.yaml"
    path.write_text(text)
    return path


def omission(rule: str, *resources: str) -> Omission:
    sentence = "A sentence that says enough to be one, as reasons do."
    return Omission(
        tool="guard", rule=rule, resources=resources, harm=sentence, because=sentence, until=sentence
    )


def finding(rule: str, resource: str, template: str = "one") -> Finding:
    return Finding(template, resource, rule, "message")


def test_this_projects_file_is_well_formed() -> None:
    entries = load()
    assert entries
    assert {each.tool for each in entries} == {"guard", "checkov"}


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (entry,) = load(written(tmp_path, ENTRY))
    assert (entry.tool, entry.rule, entry.resources) == ("checkov", "CKV_AWS_117", ())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "omissions.yaml: not a list"),
        ("rules: []", "omissions.yaml: not a list"),
        ("- [", "omissions.yaml: while parsing"),
        ("- CKV_AWS_117", "omissions.yaml: 0: not an entry; write tool, rule"),
        (ENTRY.replace("checkov", "chekov"), "omissions.yaml: 0.tool: got 'chekov'; write 'guard' or 'checkov'"),
        (ENTRY.replace("  rule: CKV_AWS_117\n", ""), "omissions.yaml: 0.rule: missing"),
        (ENTRY.replace("until", "unless"), "omissions.yaml: 0.unless: unknown setting"),
        (ENTRY.replace("The functions speak to DynamoDB alone and hold no secret.", "Not needed."),
         "omissions.yaml: 0.because: got 'Not needed.'; write a sentence of 30 characters or more"),
        (ENTRY.replace("hold no secret.", "hold no secret"), "omissions.yaml: 0.because: got"),
        (ENTRY.replace("A function outside", "a function outside"), "omissions.yaml: 0.harm: got"),
        (ENTRY + ENTRY, "omissions.yaml: checkov CKV_AWS_117: 2 entries; keep one"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(BlueprintError) as raised:
        load(written(tmp_path, text))
    assert any(line.startswith(fault) for line in str(raised.value).splitlines()), str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlueprintError, match=r"omissions\.yaml: "):
        load(tmp_path / "omissions.yaml")


def test_a_finding_remains_unless_its_rule_is_omitted() -> None:
    found = [finding("A_RULE", "Vpc"), finding("B_RULE", "Vpc"), finding("B_RULE", "Vpc")]
    assert remaining(found, [omission("A_RULE")]) == [finding("B_RULE", "Vpc")]
    assert remaining(found, []) == [finding("A_RULE", "Vpc"), finding("B_RULE", "Vpc")]


def test_an_entry_with_resources_leaves_the_rule_in_force_elsewhere() -> None:
    found = [finding("A_RULE", "Vpc"), finding("A_RULE", "Subnet", "two")]
    assert remaining(found, [omission("A_RULE", "Vpc")]) == [finding("A_RULE", "Subnet", "two")]


def test_an_entry_that_finds_nothing_is_stale() -> None:
    entries = [omission("A_RULE"), omission("GONE_RULE"), omission("ALSO_GONE", "Vpc")]
    assert list(stale([finding("A_RULE", "Vpc")], entries)) == [
        "guard GONE_RULE: finds nothing; remove the entry",
        "guard ALSO_GONE: finds nothing; remove the entry",
    ]


def test_a_resource_at_which_nothing_is_found_is_stale() -> None:
    assert list(stale([finding("A_RULE", "Vpc")], [omission("A_RULE", "Vpc", "Subnet")])) == [
        "guard A_RULE: finds nothing at Subnet; remove it from resources"
    ]


def test_a_resource_accepts_findings_of_its_own_and_stale_ones_are_told() -> None:
    reason = "The functions speak to DynamoDB alone and hold no secret, so no network has to keep them."
    metadata = blocks(("CKV_AWS_117", "CKV_AWS_116", "LAMBDA_DLQ_CHECK"), reason)
    template = {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Metadata": metadata}}}
    sources = [Source("one", json.dumps(template)), Source("two", "{}"), Source("one (expanded)", "{}")]
    findings = [
        finding("CKV_AWS_117", "Function", "one (expanded)"),
        finding("CKV_AWS_117", "Other"),
        finding("CKV_AWS_117", "Function", "two"),
    ]
    left, idle = unaccepted(findings, sources, "checkov")
    assert left == findings[1:]
    assert idle == ["one: Function: CKV_AWS_116 is accepted here and not reported; remove the acceptance"]
