"""Rendering: equal input gives equal bytes, and nothing is touched that is current."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from blueprints.catalogue import entries
from blueprints.checks.template import load
from blueprints.cli import cli

Write = Callable[[Mapping[str, str | bytes]], None]

ROOT = Path(__file__).parents[2]
STACKS = ROOT / "stacks"

API = "blueprint: blueprints.crud_api:CrudApi\nconfig: {auth: iam}\n"


def render(*arguments: str) -> Result:
    """Run `blueprints render` in this process, without the validator."""
    return CliRunner().invoke(cli, ["render", "--no-validate", *arguments])


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with our package in reach."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=surroundings, capture_output=True, text=True, check=False
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_validator(folder: Path, **environment: str) -> dict[str, bytes]:
    """What the example stacks render to in a process of its own, started from a folder of its own."""
    folder.mkdir()
    out = folder / "out"
    done = python(
        "-m", "blueprints", "render", "--no-validate", "--stacks", str(STACKS), "--out", str(out),
        cwd=folder, **environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return contents(out)


@pytest.fixture
def examples(folder: Path) -> Path:
    """The example stacks, copied and rendered."""
    shutil.copytree(STACKS, folder / "stacks")
    assert render().exit_code == 0
    return folder


# Equal bytes


def test_bytes_depend_on_the_stack_files_alone(folder: Path) -> None:
    first = without_validator(folder / "one", PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    second = without_validator(
        folder / "two",
        PYTHONHASHSEED="4711",
        TZ="Pacific/Kiritimati",
        LC_ALL="C.UTF-8",
        LANG="tr_TR.UTF-8",
        PYTHONUTF8="1",
        SOURCE_DATE_EPOCH="1",
        USER="somebody",
        HOME=str(folder),
        AWS_REGION="eu-south-2",
        AWS_PROFILE="nobody",
    )
    assert len(first) == 3 * len([*STACKS.glob("*/*.yaml")][1:])
    assert first == second
    for text in first.values():
        assert str(ROOT).encode() not in text
        assert str(folder).encode() not in text


def test_rendering_again_in_one_process_gives_the_same(examples: Path) -> None:
    assert render("--out", "again").exit_code == 0
    assert contents(examples / "again") == contents(examples / "templates")


def test_json_holds_what_yaml_holds(examples: Path) -> None:
    assert render("--format", "json", "--out", "plain").exit_code == 0
    found = sorted((examples / "plain").glob("*/*[!n].json"))
    templates = [path for path in found if path.suffixes == [".json"]]
    assert len(templates) == len(list(examples.glob("stacks/*/*.yaml"))) - 1
    for path in templates:
        yaml = examples / "templates" / path.parent.name / f"{path.stem}.yaml"
        assert json.loads(path.read_text()) == load(yaml.read_text())


def test_sections_stand_in_the_order_that_people_read(examples: Path) -> None:
    order = ["AWSTemplateFormatVersion", "Transform", "Description", "Metadata", "Parameters", "Rules", "Conditions",
             "Mappings", "Resources", "Outputs"]  # fmt: skip
    for path in examples.glob("templates/*/*.yaml"):
        sections = list(load(path.read_text()))
        assert sections == [section for section in order if section in sections]


# What stands beside a template


def test_parameters_and_configuration_hold_what_the_stack_gives(folder: Path, write: Write) -> None:
    write(
        {
            "stacks/prod/environment.yaml": "permissions_boundary: true\n"
            "parameters:\n  StageName: shared\n"
            "  PermissionsBoundaryArn: arn:aws:iam::012345678901:policy/Boundary\n"
            "tags: {team: a, cost: b}\n",
            "stacks/prod/api.yaml": f"{API}parameters: {{StageName: own}}\ntags: {{team: c}}\n",
            "stacks/prod/web.yaml": API,
            "stacks/test/api.yaml": API,
        }
    )
    assert render().exit_code == 0
    boundary = "arn:aws:iam::012345678901:policy/Boundary"
    assert beside("prod/api") == (
        [
            {"ParameterKey": "StageName", "ParameterValue": "own"},
            {"ParameterKey": "PermissionsBoundaryArn", "ParameterValue": boundary},
        ],
        {
            "Parameters": {"StageName": "own", "PermissionsBoundaryArn": boundary},
            "Tags": {"team": "c", "cost": "b"},
        },
    )
    assert beside("prod/web")[1] == {
        "Parameters": {"StageName": "shared", "PermissionsBoundaryArn": boundary},
        "Tags": {"team": "a", "cost": "b"},
    }
    assert beside("test/api") == ([], {"Parameters": {}, "Tags": {}})


def beside(stack: str) -> tuple[Any, Any]:
    """The parameters file and the configuration file of a stack."""
    read = (Path(f"templates/{stack}.{kind}.json").read_text() for kind in ("parameters", "configuration"))
    parameters, configuration = (json.loads(text) for text in read)
    return parameters, configuration


# Writing


def test_what_is_current_is_not_touched(examples: Path) -> None:
    for path in examples.glob("templates/*/*"):
        os.utime(path, ns=(1, 1))
    result = render()
    count = len(list(examples.glob("stacks/*/*.yaml"))) - 1
    assert (result.exit_code, result.stdout) == (0, f"{count} stacks, nothing changed\n")
    assert {path.stat().st_mtime_ns for path in examples.glob("templates/*/*")} == {1}


def test_one_changed_ingress_rule_is_one_changed_line(examples: Path) -> None:
    stack = examples / "stacks/example/deep-learning-small.yaml"
    before = contents(examples / "templates")
    text = stack.read_text()
    assert text.count("198.51.100.0/24, port") == 1
    stack.write_text(text.replace("198.51.100.0/24, port", "203.0.113.0/24, port"))
    assert render().stdout == "wrote templates/example/deep-learning-small.yaml\n"
    after = contents(examples / "templates")
    changed = [name for name in after if after[name] != before[name]]
    assert changed == ["example/deep-learning-small.yaml"]
    lines = unified_diff(
        before[changed[0]].decode().splitlines(), after[changed[0]].decode().splitlines(), n=0
    )
    removed, added = [line for line in lines if line[0] in "+-"][2:]
    assert (removed[0], added[0]) == ("-", "+")
    assert removed[1:].strip() == "- CidrIp: 198.51.100.0/24"
    assert added[1:] == removed[1:].replace("198.51.100", "203.0.113")


def test_only_what_is_asked_for_is_written(folder: Path, write: Write) -> None:
    write({f"stacks/{name}.yaml": API for name in ("prod/api", "prod/web", "test/api")})
    assert render("web").stdout.splitlines()[0] == "wrote templates/prod/web.yaml"
    assert sorted(path.name for path in Path("templates").iterdir()) == ["prod"]
    assert render("--env", "test").exit_code == 0
    assert {path.name for path in Path("templates").glob("*/*.yaml")} == {"web.yaml", "api.yaml"}
    assert not Path("templates/prod/api.yaml").exists()


# --check


def test_check_passes_over_what_is_current(examples: Path) -> None:
    before = contents(examples)
    result = render("--check")
    assert (result.exit_code, result.output) == (0, "")
    assert contents(examples) == before


def test_check_shows_what_is_stale_and_writes_nothing(folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": API})
    assert render().exit_code == 0
    write({"stacks/prod/api.yaml": API.replace("iam}", "iam, burst: 41}"), "stacks/prod/web.yaml": API})
    before = contents(folder)
    result = render("--check")
    assert result.exit_code == 1
    assert contents(folder) == before
    assert result.stderr == "4 stale files in templates; run make render\n"
    lines = result.stdout.splitlines()
    assert lines[:2] == ["--- a/templates/prod/api.yaml", "+++ b/templates/prod/api.yaml"]
    changed = [
        line.strip() for line in lines[2 : lines.index("--- a/templates/prod/web.yaml")] if line[0] in "+-"
    ]
    assert [line.split() for line in changed] == [
        ["-", "ThrottlingBurstLimit:", "40"],
        ["+", "ThrottlingBurstLimit:", "41"],
    ]
    assert "--- a/templates/prod/web.parameters.json" in lines


@pytest.mark.parametrize("name", ["old.yaml", "old.json", "old.parameters.json", ".api.yaml.4711.tmp"])
def test_check_names_what_no_stack_file_renders(name: str, folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": API})
    assert render().exit_code == 0
    write({f"templates/prod/{name}": "left behind"})
    line = f"templates/prod/{name}: no stack file renders it; delete it or restore its stack file\n"
    result = render("--check")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", line)
    assert Path(f"templates/prod/{name}").read_text() == "left behind"
    assert render("--check", "api").exit_code == 0
    assert (render().exit_code, render().stderr) == (0, line)


def test_check_repairs_no_file_that_was_edited_by_hand(folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": API})
    assert render().exit_code == 0
    path = Path("templates/prod/api.yaml")
    edited = path.read_bytes() + b"# by hand \xff\r\n"
    path.write_bytes(edited)
    result = render("--check")
    assert result.exit_code == 1
    assert "-# by hand" in result.stdout
    assert path.read_bytes() == edited


# What is imported, and so what a command costs


HEAVY = ("boto3", "botocore", "cfnlint", "samtranslator", "moto")
PROGRAM = """\
import json, runpy, sys
sys.argv = ["blueprints", *sys.argv[1:]]
status = 0
try:
    runpy.run_module("blueprints", run_name="__main__")
except SystemExit as end:
    status = end.code
print(json.dumps([status, [name for name in {names!r} if name in sys.modules]]), file=sys.stderr)
"""


def imported(names: tuple[str, ...], folder: Path, *arguments: str) -> list[str]:
    """Which of these packages a command has imported by its end, in its own process."""
    program = PROGRAM.format(names=names)
    done = python("-c", program, *arguments, cwd=folder, XDG_CACHE_HOME=str(folder / "cache"))
    status, found = json.loads(done.stderr.splitlines()[-1])
    assert status in (0, None), done.stderr
    return found


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--format", "json"], ["--help"], ["render", "--help"], ["--version"]]
)
def test_what_only_reads_imports_nothing_heavy(arguments: list[str], folder: Path) -> None:
    heavy = (*HEAVY, "pydantic", "troposphere", "awacs", "yaml", "cloudformation_validate", "rich")
    assert imported(heavy, folder, *arguments) == []


def test_render_starts_no_linter_in_its_own_process(folder: Path) -> None:
    arguments = ("render", "--strict", "--stacks", str(STACKS), "--out", str(folder / "out"))
    names = (*HEAVY, "cloudformation_validate")
    assert imported(names, folder, *arguments) == ["cloudformation_validate"]
    assert len(list((folder / "cache").glob("*/validation/*.json"))) == len(
        list((folder / "out").glob("*/*.yaml"))
    )
    assert imported(names, folder, *arguments) == [], "with a warm cache not even the validator"


def test_importing_the_package_has_no_effects(folder: Path) -> None:
    program = (
        "import sys; before = set(sys.modules); import blueprints; print(sorted(set(sys.modules) - before))"
    )
    assert python("-c", program, cwd=folder).stdout == "['blueprints']\n"


def test_list_knows_the_catalogue(folder: Path) -> None:
    done = python("-m", "blueprints", "list", "--format", "json", cwd=folder)
    assert json.loads(done.stdout) == [entry._asdict() for entry in entries()]
    text = python("-m", "blueprints", "list", cwd=folder).stdout.splitlines()
    assert [line.split()[0] for line in text] == [entry.name for entry in entries()]
    for line, entry in zip(text, entries(), strict=True):
        assert line.endswith(entry.description)
