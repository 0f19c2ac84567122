"""SAM CLI and AWS CLI as acceptors: what is held against them. A stand-in plays both, without the network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.foreign import acceptors
from scripts.foreign.readers import ReaderError

TEMPLATE = """\
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: {Code: ../../blueprints/code, Handler: app.handler, Runtime: python3.12}
"""

# Takes every template but the bad one and writes what it read, its code's address and the MD5 of all that we built.
STAND_IN = """\
import hashlib, json, pathlib, sys
mode, names = sys.argv[1], sys.argv[3:]
files = [each for each in pathlib.Path("build/package").glob("*") if each.is_file()]
built = "".join(f"# {hashlib.md5(each.read_bytes()).hexdigest()}\\n" for each in files)
taken = {}
for name in names:
    text = pathlib.Path(name).read_text() + built
    done = {"status": int(name.endswith("bad.yaml")), "said": "bad", "template": text}
    taken[name] = {each: dict(done) for each in ("sam validate", "sam build", "aws cloudformation package")}
if mode == "takes all" and "mine/bad.yaml" in taken:
    taken["mine/bad.yaml"]["sam build"]["status"] = 0
one = taken.get("templates/example/one.yaml")
if mode == "refuses" and one:
    one["sam validate"] |= {"status": 1, "said": "Handler\\n  is wrong"}
if mode == "changes" and one:
    one["sam build"]["template"] = one["sam build"]["template"].replace("app.handler", "other.handler")
if mode == "writes nothing" and one:
    one["sam build"]["template"] = ""
if mode == "other bytes":
    for each in taken.values():
        done = each["aws cloudformation package"]
        done["template"] = done["template"].partition("# ")[0]
if mode == "breaks":
    sys.exit("no such module")
json.dump(taken, sys.stdout)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one template and its code."""
    root = tmp_path / "root"
    (root / "templates" / "example").mkdir(parents=True)
    (root / "blueprints" / "code").mkdir(parents=True)
    (root / "templates" / "example" / "one.yaml").write_text(TEMPLATE)
    (root / "blueprints" / "code" / "app.py").write_text("def handler(event, context): ...\n")
    return root


def judged(tmp_path: Path, root: Path, mode: str) -> tuple[str, list[str]]:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/stand_in.py "{mode}" "$@"\n')
    python.chmod(0o755)
    return acceptors.faults(root, python, tmp_path / "work", "http://127.0.0.1:1")


def test_templates_are_taken_as_they_are_and_packaged(tmp_path: Path, root: Path) -> None:
    assert judged(tmp_path, root, "good") == ("2 templates, 2 of them packaged too", [])


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("refuses", ["templates/example/one.yaml: sam validate ended with 1: Handler is wrong"]),
        ("takes all", ["sam build takes mine/bad.yaml, which names no handler and no code: it does not judge"]),
        ("writes nothing", ["templates/example/one.yaml: sam build wrote no template: "
                            "a template is a mapping, got NoneType"]),
        ("other bytes", [
            "build/example/one.yaml: aws cloudformation package uploaded other bytes"
            " for Resources.Function.Properties.Code",
            "build/mine/own.yaml: aws cloudformation package uploaded other bytes"
            " for Resources.Function.Properties.CodeUri",
            "build/mine/own.yaml: aws cloudformation package uploaded other bytes"
            " for Resources.Machine.Properties.DefinitionUri",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, root: Path, mode: str, told: list[str]) -> None:
    assert judged(tmp_path, root, mode)[1] == told


def test_a_changed_template_is_named_with_the_place(tmp_path: Path, root: Path) -> None:
    (line,) = judged(tmp_path, root, "changes")[1]
    assert line.startswith("templates/example/one.yaml: sam build: ")
    assert "other.handler" in line


def test_a_tool_that_breaks_ends_the_run(tmp_path: Path, root: Path) -> None:
    with pytest.raises(ReaderError, match="no such module"):
        judged(tmp_path, root, "breaks")
