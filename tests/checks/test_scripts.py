"""Scripts and code inside of templates: what each bad fixture holds is found, by place, rule and line, and no more."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from blueprints.checks import inline_code, scripts
from blueprints.checks.cache import Cache
from blueprints.checks.embedded import programs as programs_of
from blueprints.checks.finding import Finding, Source
from blueprints.checks.inspection import inspect
from blueprints.checks.model import Model
from blueprints.checks.programs import program
from blueprints.checks.tools import ToolMissingError

HERE = Path(__file__).parent / "scripts"
ROOT = Path(__file__).parent.parent.parent
FIXTURES = sorted(HERE.glob("*.yaml"))
BAD = [path for path in FIXTURES if path.name.startswith("bad")]
GOOD = [path for path in FIXTURES if path.name.startswith("good")]
TEMPLATES = sorted((ROOT / "templates").rglob("*.yaml"))

NewCache = Callable[[], Cache]
name_of: Callable[[Path], str] = lambda path: path.stem  # noqa: E731


def source(path: Path) -> Source:
    return Source(path.name, path.read_text())


def instance(user_data: str) -> Source:
    lines = "\n".join(f"          {line}" for line in user_data.split("\n"))
    resource = (
        "  I:\n    Type: AWS::EC2::Instance\n    Properties:\n      UserData:\n        Fn::Base64: !Sub |\n"
    )
    return Source("instance.yaml", f"Resources:\n{resource}{lines}\n")


def place(finding: Finding) -> str:
    return f"{finding.where} | {finding.rule} | {finding.message.partition(': ')[0]}"


@pytest.mark.parametrize("path", BAD, ids=name_of)
def test_bad_fixtures_are_caught(path: Path, new_cache: NewCache) -> None:
    expected = re.findall(r"^# finds: (.+)$", path.read_text(), re.M)
    found = inspect([source(path)], new_cache())
    assert sorted({place(each) for each in found}) == sorted(expected)
    assert all(each.line > 1 and each.template.startswith(path.name) for each in found)


@pytest.mark.parametrize("path", GOOD, ids=name_of)
def test_good_fixtures_are_not(path: Path, new_cache: NewCache) -> None:
    assert inspect([source(path)], new_cache()) == []


def test_our_templates_are_clean(new_cache: NewCache) -> None:
    sources = [Source(str(path.relative_to(ROOT)), path.read_text()) for path in TEMPLATES]
    assert sources
    assert inspect(sources, new_cache()) == []


def test_our_templates_have_scripts_and_code_to_look_at(new_cache: NewCache) -> None:
    """So that their being clean says something: a command that shellcheck knows, and code that is none."""
    broken = [
        Source(path.name, re.sub(r"(?m)^(\s+)(set -\w+.*|import json)$", r"\1ls `ls`", path.read_text()))
        for path in TEMPLATES
        if re.search(r"^\s+(UserData|InlineCode|ZipFile|.*runCommand):", path.read_text(), re.M)
    ]
    assert len(broken) > 2
    assert {each.template.partition(" ")[0] for each in inspect(broken, new_cache())} == {
        each.name for each in broken
    }


def test_a_finding_names_place_line_rule_and_remedy() -> None:
    (found,) = scripts.judge(instance("#!/bin/bash\nls $HOME/${AWS::StackName}".replace("${A", "x${A")))
    assert (found.template, found.line, found.where) == (
        "instance.yaml",
        5,
        "Resources.I.Properties.UserData",
    )
    assert (found.rule, found.severity, found.engine) == ("SC2086", "warning", "shellcheck")
    assert found.message == (
        "line 2: Double quote to prevent globbing and word splitting. (https://www.shellcheck.net/wiki/SC2086)"
    )


def test_what_is_filled_in_at_deploy_excuses_its_line_and_no_other() -> None:
    script = '#!/bin/bash\nif [[ "${AWS::Region}" == x ]]; then ls; fi\nif [[ a == b ]]; then ls; fi'
    assert {each.message[:7] for each in scripts.judge(instance(script))} == {"line 3:"}


def test_placeholders_keep_lines_and_hold_defaults_that_are_one_word() -> None:
    text = (HERE / "good-user-data.yaml").read_text()
    code = next(each for each in programs_of(Model(Source("x", text))) if each.path[1] == "Compared")
    assert code.text.split("\n")[2:5] == [
        """if [[ "placeholder" != "" ]]; then export https_proxy='placeholder'; fi""",
        'if [[ "fast" == "slow" ]]; then sleep 60; fi',
        "if [ 1 -gt 3 ]; then echo many; fi",
    ]
    assert code.filled == {3, 4, 5, 6, 7}


def test_settings_of_the_user_have_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".shellcheckrc").write_text("disable=SC2086\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELLCHECK_OPTS", "--exclude=SC2086")
    assert [each.rule for each in scripts.judge(instance("#!/bin/bash\nls $HOME"))] == ["SC2086"]


def test_code_for_a_newer_python_is_not_compiled_by_this_one() -> None:
    text = (HERE / "good-function.yaml").read_text()
    assert inline_code.judge(Source("x", text)) == []
    older = [each.rule for each in inline_code.judge(Source("x", text.replace("python3.14", "python3.11")))]
    assert older == ["invalid-syntax"]


def test_a_second_run_loads_no_tool(new_cache: NewCache, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [source(BAD[0])]
    first = inspect(sources, new_cache())
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("blueprints.checks.scripts.judge", None)
    assert inspect(sources, new_cache()) == first != []


def test_what_is_no_template_is_told(new_cache: NewCache) -> None:
    (found,) = inspect([Source("x.yaml", "- a list")], new_cache())
    assert (found.rule, found.message) == (
        "CB000",
        "a template is a mapping, got list; it cannot be inspected",
    )


def test_a_program_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match="cfn-lint is not installed"):
        program("no-such-program", "cfn-lint")
