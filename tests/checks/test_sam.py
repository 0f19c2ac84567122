"""SAM: which templates are, what they become, and what is said of those that become nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blueprints import checks
from blueprints.checks import sam as expansion
from blueprints.checks import tools
from blueprints.checks.cache import Cache
from blueprints.checks.finding import Source
from blueprints.checks.template import TemplateError, load

NAME = "AWS::Serverless-2016-10-31"


def no_version(_: str) -> None:
    """What the package metadata say of a distribution that is not installed."""


@pytest.mark.parametrize(
    "text",
    [
        f"Transform: {NAME}\nResources: {{}}\n",
        f'"Transform": "{NAME}"\n',
        f"Description: d\nTransform:\n  - AWS::LanguageExtensions # first\n  - '{NAME}'\n",
        f"Transform: [AWS::LanguageExtensions, {NAME}]\n",
        f'{{"Transform":"{NAME}"}}',
        f'{{\n "A": 1,\n "Transform": [\n  "AWS::LanguageExtensions",\n  "{NAME}"\n ]\n}}',
    ],
)
def test_transform_is_recognised(text: str) -> None:
    assert Source("t", text).is_sam


@pytest.mark.parametrize(
    "text",
    [
        f"Description: Transform {NAME}\n",
        f"# Transform: {NAME}\nResources: {{}}\n",
        f"Transform: AWS::LanguageExtensions\nDescription: {NAME}\n",
        "Transform: AWS::Include\n",
        f"Resources:\n  Transform: {NAME}\n",
    ],
)
def test_mention_of_the_transform_is_not_one(text: str) -> None:
    assert not Source("t", text).is_sam


def test_short_tags_and_dates_read_as_cloudformation_reads_them() -> None:
    text = "A: 2010-09-09\nB: !GetAtt a.b.c\nC: !Ref x\nE: !Condition q\n"
    text += "D: !If [p, !Sub '${x}', !GetAtt [a, b]]\n"
    assert load(text) == {
        "A": "2010-09-09",
        "B": {"Fn::GetAtt": ["a", "b.c"]},
        "C": {"Ref": "x"},
        "D": {"Fn::If": ["p", {"Fn::Sub": "${x}"}, {"Fn::GetAtt": ["a", "b"]}]},
        "E": {"Condition": "q"},
    }
    assert load('{"A": [1]}') == load("{A: [1]}") == {"A": [1]}


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "{", "\x00"])
def test_what_is_no_template_is_one_line_of_error(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load(text)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_batch_expands_what_it_can_and_says_why_not_of_the_rest(
    sam: Source, sam_misspelt: Source, sam_bad_policy: Source
) -> None:
    broken = Source("broken.yaml", "Transform: [")
    odd = Source("odd.yaml", f"Transform: {NAME}\nResources:\n  F:\n    Type: AWS::Serverless::Function\n")
    found = expansion.expand([sam, sam_misspelt, sam_bad_policy, broken, odd])

    resources = json.loads(found["sam.yaml"].text or "")["Resources"]
    assert {"Function", "FunctionRole", "FunctionAliaslive", "FunctionUrl", "Table"} <= resources.keys()
    assert "cfn-lint" in resources["Function"]["Metadata"]
    assert not [name for name, made in resources.items() if "Serverless" in made["Type"]]
    assert found["sam.yaml"].errors == ()
    assert {"Parameters.Live", "Resources.FunctionRole"} <= found["sam.yaml"].beyond_author
    assert "Resources.Table" not in found["sam.yaml"].beyond_author

    failures = {name: " ".join(made.errors) for name, made in found.items() if made.text is None}
    assert failures.keys() == {"misspelt.yaml", "policy.yaml", "broken.yaml", "odd.yaml"}
    assert "Memroy" in failures["misspelt.yaml"]
    assert "Policy at index 0" in failures["policy.yaml"]
    assert "cannot be read" in failures["broken.yaml"]
    assert not [text for text in failures.values() if "Traceback" in text or "\n" in text]


BEFORE_UPLOAD = f"""\
Transform: {NAME}
Parameters:
  Bucket: {{Type: String}}
  Stage: {{Type: String, AllowedValues: [beta, prod]}}
Globals:
  Function: {{Runtime: python3.13, Handler: index.handler, CodeUri: src/}}
Resources:
  Shared:
    Type: AWS::Serverless::Function
    Properties: {{Timeout: 3}}
  Own:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: own/, AutoPublishAlias: !Ref Stage}}
  PutTogether:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: !Sub "s3://${{Bucket}}/code.zip"}}
  Uploaded:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: {{Bucket: !Ref Bucket, Key: code.zip}}}}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {{ContentUri: layer/}}
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties: {{DefinitionUri: flow.asl.json}}
  Nested:
    Type: AWS::Serverless::Application
    Properties: {{Location: nested.yaml}}
  Shop:
    Type: AWS::Serverless::Application
    Properties:
      Location: {{ApplicationId: 'arn:aws:serverlessrepo:us-east-1:1:applications/a', SemanticVersion: 1.0.0}}
"""

IMAGES = f"""\
Transform: {NAME}
Resources:
  Built:
    Type: AWS::Serverless::Function
    Metadata: {{DockerContext: ., Dockerfile: Dockerfile}}
    Properties: {{PackageType: Image}}
  Zipped:
    Type: AWS::Serverless::Function
    Properties: {{Runtime: python3.13, Handler: index.handler}}
"""


def test_code_that_is_not_uploaded_yet_is_no_fault() -> None:
    before, images = expansion.expand(
        [Source("before.yaml", BEFORE_UPLOAD), Source("i.yaml", IMAGES)]
    ).values()
    assert before.errors == images.errors == ()
    made = json.loads(before.text or "")["Resources"]
    assert made["Uploaded"]["Properties"]["Code"] == {"S3Bucket": {"Ref": "Bucket"}, "S3Key": "code.zip"}
    assert [each for each in made.values() if each["Type"] == "AWS::Lambda::Alias"]
    assert made["Nested"]["Type"] == made["Shop"]["Type"] == "AWS::CloudFormation::Stack"
    assert {"ImageUri"} == json.loads(images.text or "")["Resources"]["Built"]["Properties"]["Code"].keys()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Type: AWS::Serverless::Application\n    Properties: {Location: {ApplicationId: a}}",
            "SemanticVersion",
        ),
        ("Type: AWS::Serverless::LayerVersion\n    Properties: {LayerName: a}", "ContentUri"),
    ],
)
def test_what_uploading_does_not_mend_stays_a_fault(written: str, said: str) -> None:
    source = Source("t.yaml", f"Transform: {NAME}\nResources:\n  A:\n    {written}\n")
    assert said in " ".join(expansion.expand([source])["t.yaml"].errors)


def test_no_sources_start_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert expansion.expand([]) == {}


def test_a_child_that_dies_is_an_error_of_every_source(sam: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "__package__", "no_such_package")
    found = expansion.expand([sam])
    assert found["sam.yaml"].text is None
    assert "no_such_package" in found["sam.yaml"].errors[0]


def test_missing_translator_says_what_to_install(sam: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_scanned", dict)
    monkeypatch.setattr(tools, "_asked", no_version)
    with pytest.raises(tools.ToolMissingError, match=r"compute-blueprints\[sam\].*--no-validate"):
        expansion.expand([sam])


def test_vendored_under_another_name_from_a_folder_with_treacherous_modules(
    sam: Source, tmp_path: Path
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    package = home / "company" / "vendored" / "checks"
    shutil.copytree(Path(checks.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for parent in (package.parent, package.parent.parent):
        (parent / "__init__.py").touch()
    elsewhere.mkdir()
    (elsewhere / "yaml.py").write_text("raise SystemExit('shadowed')")
    program = (
        f"import sys; sys.path.append({str(home)!r})\n"
        "from company.vendored.checks import sam, finding\n"
        "source = finding.Source('s', sys.stdin.read())\n"
        "print(sam.__name__, sam.expand([source])['s'].text is not None, 'samtranslator' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        input=sam.text,
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["company.vendored.checks.sam", "True", "False"]


SIMPLE = Source(
    "simple.yaml", f"Transform: {NAME}\nResources:\n  Table: {{Type: AWS::Serverless::SimpleTable}}\n"
)
REFUSED = Source(
    "refused.yaml", f"Transform: {NAME}\nResources:\n  Function: {{Type: AWS::Serverless::Function}}\n"
)


def later_version(_: str) -> str:
    return "999"


def test_what_was_expanded_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, expansion.KIND, print)
    with expansion.Expander([SIMPLE, REFUSED], cache) as first:
        told = first.collect()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with expansion.Expander([REFUSED, SIMPLE, SIMPLE], cache) as second:
        assert second.collect() == [told[1], told[0], told[0]]
    assert "AWS::DynamoDB::Table" in (told[0].text or "")
    assert told[1].errors


def test_another_text_another_translator_and_a_broken_file_are_expanded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    cache = Cache(tmp_path, expansion.KIND, lines.append)
    with expansion.Expander([SIMPLE], cache) as expander:
        (told,) = expander.collect()
    (file,) = (tmp_path / expansion.KIND).glob("*.json")
    file.write_text('{"format": 2, "kept": {"text": 7, "errors": [], "beyond_author": []}}')
    with expansion.Expander([SIMPLE], cache) as expander:
        assert expander.collect() == [told]
    assert len(lines) == 1
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with expansion.Expander([Source(SIMPLE.name, f"{SIMPLE.text}\n"), SIMPLE], cache) as expander:
        assert [bool(each.errors) for each in expander.collect()] == [True, False]
    monkeypatch.setattr(expansion, "version", later_version)
    with expansion.Expander([SIMPLE], cache) as expander:
        assert expander.collect()[0].errors


def test_a_child_that_died_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, expansion.KIND, print)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", shutil.which("false"))
        with expansion.Expander([SIMPLE], cache) as expander:
            assert "ended with status 1" in expander.collect()[0].errors[0]
    with expansion.Expander([SIMPLE], cache) as expander:
        assert expander.collect()[0].errors == ()
