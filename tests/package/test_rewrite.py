"""A rewritten template differs in the places that were rewritten, and in no other byte where its notation allows."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.checks.template import load
from blueprints.package.places import places
from blueprints.package.rewrite import rewrite

ROOT = Path(__file__).resolve().parents[2]

HANDMADE = """\
# ünïcode, before every place
AWSTemplateFormatVersion: 2010-09-09
Mappings:
  Accounts: {123456789012: {Weight: 1.10, Old: 0123}}   # numbers stay as they are written
Resources:
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Code: ./src     # code
      Role: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/x"
  Quoted: {Type: AWS::Lambda::Function, Properties: {Code: './src', Handler: a.b}}
  Folded:
    Type: AWS::Lambda::Function
    Properties:
      Code: >-
        ./src
      Handler: a.b
  Bare:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
  BareFlow: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
  Script:
    Type: AWS::Glue::Job
    Properties:
      Command: {Name: x, ScriptLocation: job.py}
  Included:
    Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}
  Short: !Transform {Name: AWS::Include, Parameters: {Location: part.yaml}}
  Fn::ForEach::Each:
    - Id
    - [A, B]
    - Each${Id}:
        Type: AWS::Lambda::LayerVersion
        Properties:
          Content: layer
Outputs:
  Last: {Value: !GetAtt Plain.Arn}
"""


def edited(text: str) -> tuple[str, dict[str, Any], int]:
    """The text and the data after every place got its own value, and how many places there were."""
    template = load(text)
    found = places(template)
    values = [{"S3Bucket": "b", "S3Key": str(number)} for number, _ in enumerate(found)]
    for place, value in zip(found, values, strict=True):
        place.holder[place.name] = value
    edits = [(place.path, value) for place, value in zip(found, values, strict=True)]
    return rewrite(text, edits, template), template, len(found)


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_nothing_but_the_places_changes_and_comments_stay() -> None:
    after, template, count = edited(HANDMADE)
    assert count == 9
    assert load(after) == template
    changed = changed_lines(HANDMADE, after)
    assert [line for line in changed if line.startswith("-")] == [
        "-       Code: ./src     # code",
        "-   Quoted: {Type: AWS::Lambda::Function, Properties: {Code: './src', Handler: a.b}}",
        "-       Code: >-",
        "-         ./src",
        "-   BareFlow: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}",
        "-       Command: {Name: x, ScriptLocation: job.py}",
        "-     Fn::Transform: {Name: AWS::Include, Parameters: {Location: part.yaml}}",
        "-   Short: !Transform {Name: AWS::Include, Parameters: {Location: part.yaml}}",
        "-           Content: layer",
    ]
    assert '+       Code: {"S3Bucket": "b", "S3Key": "0"}     # code' in changed


def test_json_stays_json() -> None:
    text = json.dumps(load(HANDMADE.replace("123456789012", "'123456789012'")), indent=3)
    after, template, count = edited(text)
    assert count == 9
    assert json.loads(after) == template


@pytest.mark.parametrize(
    "text",
    [
        "Resources:\n  A: &a\n    Type: AWS::Lambda::Function\n    Properties: &p {Code: one}\n"
        "  B:\n    Type: AWS::Lambda::Function\n    Properties: *p\n",
        '{\n\t"Resources": {\n\t\t"A": {"Type": "AWS::Lambda::Function", "Properties": {"Code": "one"}}\n\t}\n}\n',
    ],
    ids=["alias", "tabs"],
)
def test_what_cannot_be_put_into_the_text_is_written_as_json(text: str) -> None:
    after, template, _ = edited(text)
    assert json.loads(after) == template
    assert load(after) == template


def test_a_merged_key_gets_the_value_of_its_own() -> None:
    text = "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties: &p {Code: one}\n"
    after, template, _ = edited(
        f"{text}  B:\n    Type: AWS::Lambda::Function\n    Properties: {{<<: *p, Role: r}}\n"
    )
    assert load(after) == template
    assert after.startswith("Resources:")


@pytest.mark.parametrize("path", sorted((ROOT / "templates").glob("*/*.yaml")), ids=lambda path: path.stem)
def test_committed_templates_mean_the_same_with_a_value_changed(path: Path) -> None:
    text = path.read_text()
    template = load(text)
    template["Description"] = "other"
    after = rewrite(text, [(("Description",), "other")], template)
    assert load(after) == template
    assert len(changed_lines(text, after)) == 2


ANY = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
# Without what ends a line, and thereby a comment.
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)


@given(before=LINE, value=ANY, name=LINE.filter(bool))
def test_any_text_around_a_place_and_in_it(before: str, value: str, name: str) -> None:
    key, description = (json.dumps(each, ensure_ascii=False) for each in (name, before))
    text = f"# {before}\nResources:\n  {key}:\n    Type: AWS::Lambda::Function\n"
    text += f"    Properties:\n      Description: {description}\n      Code: ./x\n"
    template = load(text)
    (place,) = places(template)
    place.holder["Code"] = value
    after = rewrite(text, [(place.path, value)], template)
    assert load(after) == template
