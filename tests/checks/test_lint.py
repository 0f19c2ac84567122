"""The deep gate finds what is planted, obeys suppressions as cfn-lint does, and lints nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blueprints.checks import lint as deep
from blueprints.checks import workers
from blueprints.checks.cache import Cache
from blueprints.checks.finding import Finding, Source
from blueprints.checks.lint import lint

NewCache = Callable[[], Cache]

ROLE = """\
Description: A role.
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "s3:GetObjekt", Resource: "*"}
"""

QUEUE = """\
Description: A queue.
Parameters:
  Idle:
    Type: String
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Other:
    Type: AWS::SQS::Queue
"""


def must_not_run(_: list[Source], __: tuple[str, ...]) -> list[list[Finding]]:
    pytest.fail("an unchanged template was linted")


def no_fork(_: list[str]) -> bool:
    return False


def rules(found: list[Finding]) -> set[str]:
    return {finding.rule for finding in found}


def test_sound_templates_have_no_findings(new_cache: NewCache, clean: Source, sam: Source) -> None:
    assert lint([clean, sam], new_cache()) == []


def test_one_run_finds_each_fault_in_its_template(new_cache: NewCache, faulty: Source, clean: Source) -> None:
    idle = Source("idle.yaml", clean.text + "Parameters: {Idle: {Type: String}}\n")
    found = lint([faulty, clean, Source("role.yaml", ROLE), idle], new_cache())
    assert [(f.template, f.rule, f.severity, f.line, f.where) for f in found] == [
        ("faulty.yaml", "E3002", "error", 8, "Resources.Vpc.Properties.Cidr"),
        (
            "role.yaml",
            "W3037",
            "warning",
            15,
            "Resources.Role.Properties.Policies.0.PolicyDocument.Statement.0.Action",
        ),
        ("idle.yaml", "W2001", "warning", 8, "Parameters.Idle"),
    ]
    assert "'Cidr'" in found[0].message


def test_rules_beyond_the_defaults_are_on(new_cache: NewCache) -> None:
    text = QUEUE + "    Properties:\n      QueueName: !Sub 'arn:aws:sqs:${AWS::Region}:1:q'\n"
    found = lint([Source("queue.yaml", text)], new_cache())
    assert rules(found) == {"W2001", "I3011", "I3013", "I3042"}
    assert {finding.severity for finding in found} == {"warning"}


def test_suppressions_in_a_template_are_obeyed_as_the_command_obeys_them(
    new_cache: NewCache, tmp_path: Path
) -> None:
    ignoring = "Metadata: {cfn-lint: {config: {ignore_checks: [%s]}}}\n"
    text = ignoring % "W2001" + QUEUE.replace(
        "Queue\n  Other", "Queue\n    " + ignoring % "I3011" + "  Other"
    )
    found = lint([Source("queue.yaml", text)], new_cache())
    assert {(f.rule, f.where.split(".")[1]) for f in found} == {
        ("I3013", "Queue"),
        ("I3013", "Other"),
        ("I3011", "Other"),
    }

    path = tmp_path / "queue.yaml"
    path.write_text(text)
    command = "from cfnlint.runner import main; main()"
    options = ["--merge-configs", "-r", "us-east-1", "--format", "json", "-i", "I4010"]
    options += ["-c", "I3011", "I3013", "I3042", "--", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    theirs = [
        (match["Location"]["Start"]["LineNumber"], match["Rule"]["Id"], match["Message"])
        for match in json.loads(done.stdout)
    ]
    assert sorted(theirs) == sorted((f.line, f.rule, f.message) for f in found)


def test_configuration_of_whoever_runs_it_has_no_say(
    new_cache: NewCache, faulty: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".cfnlintrc").write_text("ignore_checks: [E3002]\n")
    monkeypatch.chdir(tmp_path)
    deep._linter.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert rules(lint([faulty], new_cache())) == {"E3002"}


@pytest.mark.parametrize("text", ["", "null", "[]", "a: [1\nb: }\n", "a: 1\na: 2\n", "\x00", "{", "\ud800"])
def test_what_is_no_template_is_a_finding(
    text: str, new_cache: NewCache, capfd: pytest.CaptureFixture[str]
) -> None:
    found = lint([Source("a.yaml", text)], new_cache())
    assert found
    assert {finding.severity for finding in found} == {"error"}
    assert "template" not in capfd.readouterr().err


def test_duplicate_keys_are_found_at_their_lines(new_cache: NewCache, clean: Source) -> None:
    text = clean.text + "      CidrBlock: 10.1.0.0/16\n"
    found = lint([Source("a.yaml", text)], new_cache())
    assert [(finding.rule, finding.line) for finding in found] == [("E0000", 7), ("E0000", 8)]


def test_body_beyond_the_limit_is_found(new_cache: NewCache, clean: Source) -> None:
    assert rules(lint([Source("a.yaml", clean.text + "#" * 1_000_000)], new_cache())) == {"E1002"}


def test_faults_of_sam_templates_are_found(
    new_cache: NewCache, sam: Source, sam_misspelt: Source, sam_bad_policy: Source
) -> None:
    action = "        - Statement: [{Effect: Allow, Action: 's3:GetObjekt', Resource: '*'}]\n      Events:\n"
    misspelt_action = Source("action.yaml", sam.text.replace("      Events:\n", action))
    found = lint([sam_misspelt, sam_bad_policy, misspelt_action], new_cache())
    assert [(finding.template, finding.rule) for finding in found] == [
        ("misspelt.yaml", "SAM"),
        ("misspelt.yaml", "E3002"),
        ("policy.yaml", "SAM"),
        ("action.yaml (expanded)", "W3037"),
    ]


def test_cached_findings_read_the_same(
    new_cache: NewCache, faulty: Source, sam_misspelt: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [faulty, sam_misspelt]
    first = lint(sources, new_cache())
    monkeypatch.setattr(deep, "_lint", must_not_run)
    assert first
    assert lint(sources, new_cache()) == first


def test_regions_are_part_of_the_question(
    new_cache: NewCache, clean: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def check(sources: list[Source], regions: tuple[str, ...], _: Cache) -> list[list[Finding]]:
        asked.append(regions)
        return [[] for _ in sources]

    monkeypatch.setattr(deep, "_lint", check)
    for regions in (["us-east-1"], ["us-east-1"], ["us-east-1", "eu-west-1"]):
        lint([clean], new_cache(), regions)
    assert asked == [("us-east-1",), ("us-east-1", "eu-west-1")]


def test_one_process_and_several_find_the_same(
    new_cache: NewCache, faulty: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [faulty, Source("queue.yaml", QUEUE), Source("role.yaml", ROLE)]
    several = lint(sources, new_cache())
    monkeypatch.setattr(workers, "_can_fork", no_fork)
    assert lint(sources, Cache(tmp_path / "second", "kind", pytest.fail)) == several


def test_warm_cache_loads_no_linter(faulty: Source, sam: Source, tmp_path: Path) -> None:
    program = (
        "import json, sys, pathlib\n"
        "from blueprints.checks.lint import lint\n"
        "from blueprints.checks.cache import Cache\n"
        "from blueprints.checks.finding import Source\n"
        f"cache = Cache(pathlib.Path({str(tmp_path / 'cache')!r}), 'kind', sys.exit)\n"
        "found = lint([Source(*pair) for pair in json.load(sys.stdin)], cache)\n"
        "heavy = {'cfnlint', 'cloudformation_validate', 'samtranslator', 'boto3', 'moto'}\n"
        "print(len(found), *sorted(heavy & set(sys.modules)))\n"
    )
    sources = [faulty, sam]
    lint(sources, Cache(tmp_path / "cache", "kind", pytest.fail))
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([(source.name, source.text) for source in sources]),
        cwd=Path(deep.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"]


def test_the_committed_configuration_makes_the_same_choices() -> None:
    """Editors and the cfn-lint command read .cfnlintrc; what `blueprints lint` asks for stands in the module."""
    import yaml

    from blueprints.checks.lint import IGNORED, INCLUDED

    settings = yaml.safe_load((Path(__file__).parent.parent.parent / ".cfnlintrc").read_text())
    assert tuple(settings["include_checks"]) == INCLUDED
    assert tuple(settings["ignore_checks"]) == IGNORED
    assert settings["non_zero_exit_code"] == "warning"
