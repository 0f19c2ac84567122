"""Guard, checkov and the canary: what is read from them, and when a run fails or is skipped. Without the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks.finding import Source
from scripts.foreign import __main__ as command
from scripts.foreign import canary, checkov, environments, guard, templates
from scripts.foreign.environments import UnavailableError
from scripts.foreign.omissions import Finding
from scripts.foreign.readers import ReaderError

RULE = """
let groups = Resources.*[ Type == 'AWS::Logs::LogGroup' ]

rule log_group_is_kept when %groups !empty {
  %groups.Properties.RetentionInDays exists
  <<
    Violation: nobody says how long
    Fix: set RetentionInDays
  >>
}
"""

TEMPLATE = """
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Forgotten:
    Type: AWS::Logs::LogGroup
    Properties: {}
  Kept:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 30}
  Accepted:
    Type: AWS::Logs::LogGroup
    Metadata:
      guard: {SuppressedRules: [log_group_is_kept]}
    Properties: {}
"""


def rule(tmp_path: Path, text: str = RULE) -> Path:
    path = tmp_path / "rule.guard"
    path.write_text(text)
    return path


# Guard


def test_guard_names_the_resource_and_spares_what_its_metadata_accepts(tmp_path: Path) -> None:
    assert guard.findings([Source("one", TEMPLATE)], [rule(tmp_path)]) == [
        Finding("one", "Forgotten", "log_group_is_kept", "Fix: set RetentionInDays")
    ]


def test_a_rule_about_types_that_no_template_has_is_left_out() -> None:
    logs, table = Source("logs", TEMPLATE), Source("table", "Type: AWS::DynamoDB::Table")
    assert guard.concerns(RULE, [table, logs])
    assert not guard.concerns(RULE, [table])
    assert not guard.concerns(f"# not about AWS::DynamoDB::Table\n{RULE}", [table])
    assert guard.concerns("rule everything { Resources exists }", [table])


def test_a_rule_file_that_guard_cannot_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"rule\.guard"):
        guard.findings([Source("one", TEMPLATE)], [rule(tmp_path, "rule AWS::Logs::LogGroup {{{")])


# checkov


def report(errors: int = 0, **checks: list[dict[str, str]]) -> str:
    results = {f"{kind}_checks": found for kind, found in checks.items()}
    return json.dumps({"results": {"failed_checks": []} | results, "summary": {"parsing_errors": errors}})


def check(file: str) -> dict[str, str]:
    return {
        "file_path": f"/{file}",
        "resource": "AWS::Logs::LogGroup.Group",
        "check_id": "CKV_AWS_158",
        "check_name": "Ensure that the group is encrypted",
    }


def test_checkovs_findings_carry_the_names_of_the_templates() -> None:
    text = report(failed=[check("000.yaml")], passed=[check("001.json")])
    assert checkov.read(text, {"000.yaml": "one", "001.json": "two"}) == [
        Finding("one", "Group", "CKV_AWS_158", "Ensure that the group is encrypted")
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (report(passed=[check("000.yaml")]), "0 parsing errors; not judged: two"),
        (report(1, passed=[check("000.yaml"), check("001.yaml")]), "1 parsing errors; not judged: none"),
        ("[]", "its report is none"),
        ("no report", "its report is none: 'no report'"),
        ("{}", "its report is none"),
    ],
)
def test_a_report_that_lacks_a_template_is_no_pass(text: str, told: str) -> None:
    with pytest.raises(checkov.CheckovError, match=told):
        checkov.read(text, {"000.yaml": "one", "001.yaml": "two"})


# The canary


def heard(tool: str) -> list[Finding]:
    return [Finding(canary.NAME, resource, each, "") for each, resource in canary.EXPECTED[tool]]


@pytest.mark.parametrize("tool", ["guard", "checkov"])
def test_the_canary_tells_of_a_tool_that_is_blind_or_deaf(tool: str) -> None:
    good = heard(tool)
    assert list(canary.faults(tool, good)) == []
    assert len(list(canary.faults(tool, []))) == len(good)
    assert len(list(canary.faults(tool, good[1:]))) == 1
    unheard = Finding(canary.NAME, f"Accepted{good[0].resource}", good[0].rule, "")
    (line,) = canary.faults(tool, [*good, unheard])
    assert "whose metadata accepts it" in line


def test_the_canary_is_about_the_resources_that_are_expected_of_it() -> None:
    text = canary.source().text
    for expected in canary.EXPECTED.values():
        for each, resource in expected:
            assert f"  {resource}:\n" in text
            assert f"  Accepted{resource}:\n" in text
            assert each in text.partition(f"  Accepted{resource}:\n")[2].partition("    Properties:")[0]


# What is judged


def test_covering_keeps_every_value_with_few_sets() -> None:
    sets: list[set[Any]] = [{1}, {1, 2, 3}, {3, 4}, {4}, set()]
    assert templates.covering(sets) == [1, 2]
    assert templates.covering([]) == []


def test_variants_show_what_committed_templates_do_not() -> None:
    texts = [each.text for each in templates.telling_variants()]
    for shape in (
        "AWS::EFS::FileSystem",
        "MixedInstancesPolicy",
        "PermissionsBoundary",
        "EnableIamAuthorizer",
    ):
        assert any(shape in text for text in texts), shape


def test_sam_templates_are_judged_as_written_and_as_expanded() -> None:
    sources = templates.committed(environments.ROOT)
    names = [each.name for each in templates.with_expansions(sources)]
    assert "templates/example/crud-api.yaml (expanded)" in names
    assert [each.name for each in sources] == names[: len(sources)]


def test_a_template_that_sam_refuses_ends_the_run() -> None:
    text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Bad:\n    Type: AWS::Serverless::Function\n"
    with pytest.raises(templates.ExpansionError, match="bad: "):
        templates.with_expansions([Source("bad", text)])


# The run


def gate(wrong: list[str], unavailable: str = "", broken: str = "") -> command.Gate:
    def prepare() -> None:
        if unavailable:
            raise UnavailableError(unavailable)

    def run() -> tuple[str, list[str]]:
        if broken:
            raise ReaderError(broken)
        return "2 templates", wrong

    return command.Gate("tool", "1.0", prepare, run)


@pytest.mark.parametrize(
    ("given", "environment", "status", "line"),
    [
        (gate([]), {}, 0, "tool: passed: 1.0; 2 templates (installed in"),
        (gate(["one: Vpc: RULE text"]), {}, 1, "  one: Vpc: RULE text"),
        (gate([], broken="no node"), {}, 1, "  no node"),
        (gate([], unavailable="no network"), {}, 0, "tool: skipped, cannot be installed: no network"),
        (gate([], unavailable="no network"), {"CI": "true"}, 1, "tool: FAILED, cannot be installed: no network"),
        (gate(["wrong"]), {"ONLY": "tol"}, 2, "ONLY=tol: no such tool; write one of tool"),
    ],
)  # fmt: skip
def test_verdicts(
    given: command.Gate,
    environment: dict[str, str],
    status: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main([given], environment) == status
    assert line in capsys.readouterr().out


def test_one_failing_tool_does_not_hide_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([gate(["wrong"]), gate([])], {}) == 1
    assert "tool: passed" in capsys.readouterr().out


# Environments


def test_every_environment_is_pinned_to_the_last_distribution() -> None:
    locks = sorted(environments.LOCKS.glob("*.txt"))
    assert [each.stem for each in locks] == ["aws", "cdk", "cfngin", "checkov", "sam", "sceptre", "torch"]
    for lock in locks:
        lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
        assert all("==" in line for line in lines), lock.name
        assert "://" not in lock.read_text()
        for wanted in (lock.with_suffix(".in")).read_text().split():
            assert any(line.partition(" ;")[0] == wanted for line in lines), f"{wanted}: run `make lock`"


def test_runners_that_load_our_classes_have_what_these_need() -> None:
    for name in ("cfngin", "sceptre"):
        for distribution in ("troposphere", "awacs", "pydantic", "pyyaml"):
            assert environments.pinned(name, distribution)


def test_a_tool_without_what_it_runs_in_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="no node on the path"):
        environments.python("cdk")
