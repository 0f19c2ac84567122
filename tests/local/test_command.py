"""`blueprints local` with what it cannot run, which it says in one line, and with --watch on what changes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_bytes(b"\xff\xfeR\0e\0")
    command = [sys.executable, "-m", "blueprints", "local", "--template", str(template)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (2, f"{template}: is not UTF-8; save it as that\n")


TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler, CodeUri: ../code}}
Resources:
  Worker: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt Role.Arn, Events: {Get: {Type: HttpApi}}}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: lambda.amazonaws.com}}]
"""
ANOTHER = "  Another: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt Role.Arn}}\n"


def says(text: str) -> str:
    return f"def handler(event, context): return {text!r}\n"


class Watched:
    """The command on a template whose code lies in another folder."""

    def __init__(self, folder: Path) -> None:
        self.template, self.code = folder / "deploy" / "template.yaml", folder / "code"
        self.template.parent.mkdir()
        self.code.mkdir()
        self.template.write_text(TEMPLATE)
        self.answer("one")
        command = [sys.executable, "-u", "-m", "blueprints", "local", "--watch", "--template"]
        self.process = subprocess.Popen(
            [*command, str(self.template)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.url = self.until(lambda line: "HttpApi: http" in line).split()[-1]
        self.until(lambda line: "AWS itself" in line)

    def until(self, holds: Callable[[str], bool]) -> str:
        """The next such line of its output; the process is ended, and StopIteration raised, where none comes."""
        assert self.process.stdout
        deadline = threading.Timer(60, self.process.terminate)
        deadline.start()
        try:
            return next(filter(holds, self.process.stdout))
        finally:
            deadline.cancel()

    def answer(self, text: str) -> None:
        (self.code / "app.py").write_text(says(text))

    def get(self) -> str:
        return requests.get(self.url, timeout=30).text


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.process.send_signal(signal.SIGINT)
    with made.process:
        assert made.process.wait(60) == 0


def test_code_in_another_folder_is_watched(watched: Watched) -> None:
    assert watched.get() == "one"
    watched.answer("two")
    watched.until(lambda line: line == "Worker: reloaded\n")
    assert watched.get() == "two"


def test_code_that_is_away_for_a_moment_is_told(watched: Watched) -> None:
    watched.answer("none")
    watched.until(lambda line: line == "Worker: reloaded\n")  # so the watch has begun
    watched.answer("one")
    watched.until(lambda line: line == "Worker: reloaded\n")
    watched.code.rename(watched.code.with_name("away"))
    watched.template.write_text(TEMPLATE + "\n")
    watched.until(lambda line: line == f"{watched.code}: No such file or directory\n")
    assert watched.get() == "one"
    watched.code.with_name("away").rename(watched.code)
    watched.answer("two")
    watched.template.write_text(TEMPLATE)
    watched.until(lambda line: line == "Worker: reloaded\n")
    assert watched.get() == "two"


def test_another_function_asks_for_a_new_start(watched: Watched) -> None:
    watched.template.write_text(TEMPLATE + ANOTHER)
    watched.until(lambda line: line == "more than functions has changed; start again to see it\n")
    assert watched.get() == "one"
