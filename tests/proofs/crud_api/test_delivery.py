"""What answers is what the template delivers, and nothing of our source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from blueprints.local.running import Running
from blueprints.local.stack import Stack

from .conftest import COMMITTED


def answers(template: str, path: str = "/resource/one") -> requests.Response:
    with Running(Stack(template)) as running:
        return requests.get(f"{running.urls['HttpApi']}{path}", timeout=30)


def changed(old: str, new: str) -> str:
    text = COMMITTED.read_text()
    assert text.count(old) >= 1, f"the committed template no longer has {old!r}"
    return text.replace(old, new)


def test_the_committed_template_answers() -> None:
    found = answers(COMMITTED.read_text())
    assert (found.status_code, found.json()["message"]) == (404, "no such resource")


def test_a_changed_handler_changes_the_answer() -> None:
    found = answers(changed("no such resource", "nothing of that name"))
    assert (found.status_code, found.json()["message"]) == (404, "nothing of that name")


def test_a_changed_path_changes_where_it_answers() -> None:
    moved = changed("Path: /resource/{resourceId}", "Path: /thing/{resourceId}")
    assert answers(moved).status_code == 404
    assert answers(moved).json() == {"message": "Not Found"}
    assert answers(moved, "/thing/one").json()["message"] == "no such resource"


def test_a_changed_environment_value_changes_the_answer() -> None:
    """Without its table's name every function fails, and says nothing of why."""
    found = answers(re.sub(r"TABLE_NAME: !Ref Table", "TABLE_NAME: no-such-table", COMMITTED.read_text()))
    assert found.status_code == 500
    assert "no-such-table" not in found.text


def test_the_functions_cannot_import_our_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    probe = "import importlib.util, os\ndef get(event, context):\n"
    probe += "    found = [n for n in ('blueprints', 'moto', 'troposphere') if importlib.util.find_spec(n)]\n"
    probe += "    return {'statusCode': 200, 'body': f'{found} {os.getcwd()}'}\n"
    template = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  GetFunction:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.get
      InlineCode: {probe!r}
      Events: {{Api: {{Type: HttpApi, Properties: {{Path: /resource/one, Method: GET}}}}}}
"""
    with Running(Stack(template)) as running:
        found = requests.get(f"{next(iter(running.urls.values()))}/resource/one", timeout=30)
    assert found.text.startswith("[] ")
    assert str(tmp_path) not in found.text
