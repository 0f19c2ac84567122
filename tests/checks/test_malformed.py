"""Two thousand malformed templates: each is checked or refused, by no traceback, in bounded time and memory."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprints.checks.cache import Cache
from blueprints.checks.check import examine
from blueprints.checks.finding import Finding, Source
from blueprints.checks.template import load

T = TypeVar("T")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LONGEST = timedelta(seconds=5)
MOST_MEMORY = 1_000_000  # KiB
MANY = settings(
    max_examples=500,
    deadline=LONGEST,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

_OURS = [path.read_text() for path in sorted((ROOT / "templates").glob("*/*.yaml"))]
_BAD = [path.read_text() for path in sorted(HERE.glob("CB*/bad*.yaml"))]
TEXTS = [*_OURS, *_BAD]
PLAIN = [text for text in TEXTS if not Source("t", text).is_sam]
SAM = [text for text in TEXTS if Source("t", text).is_sam]

_YAML = [
    "&", "*", "?", "#", "-", ":", "|", ">", "'", '"', "{", "}", "[", "]", "~", "null", "<<:", "&a", "*a", "0o17",
    "1e999", "---", "...", "!!binary", "!!python/object:os.system",
]  # fmt: skip
_FUNCTIONS = ["!Ref", "!Sub", "!GetAtt", "Fn::If:", "${", "{{resolve:ssm:x}}"]
_BYTES = ["\n", "\t", "\0", "\ufeff", "\x85", "\u2028", "\U0001d518" * 40, "%YAML 9.9\n"]
TOKENS = st.sampled_from([*_YAML, *_FUNCTIONS, *_BYTES, "!If [", "|\n", "<<: "])
PIECES = [
    "x", "9", "${a}", "${", "$(", "$A", "a-", "a.", "a ", "a:", "a/", "a|", "a=", "a_b", "aa-aa-", "-e ", "[", "((((",
    "#", "\n", "a\n", "\t", "\\", "'", '"', "`", "!", "%", "/", "&& ", "| ", " = ", "curl ", "-o ", "--retry", "arn:",
    "arn:aws:", "ami-", "http://a", "169.254.169.254", ".amazonaws.com", "us-east-1", "us-east-1a ", "{{resolve:",
    "set -e\n", "if a; then ", "export A=b\n", "<<EOF\n", "aws s3 ", "dnf install -y ", "cfn-signal ", "*", "?", "a*",
]  # fmt: skip
LONG = [(piece * 16_000)[:16_000] for piece in PIECES]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["-", "*", *(LONG[::3])]),
)
_NAMES = [
    "If", "Sub", "GetAtt", "Join", "Select", "FindInMap", "Base64", "Split", "Cidr", "GetAZs", "ImportValue",
    "Transform", "Nothing", "ForEach::X",
]  # fmt: skip
FUNCTIONS = st.sampled_from(["Ref", "Condition", *(f"Fn::{name}" for name in _NAMES)])


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists: st.SearchStrategy[Any] = st.lists(inner, max_size=4)
    mappings: st.SearchStrategy[Any] = st.dictionaries(st.text(max_size=8), inner, max_size=3)
    return lists | mappings | st.dictionaries(FUNCTIONS, inner, min_size=1, max_size=1)


VALUES: st.SearchStrategy[Any] = st.recursive(SCALARS, _containers, max_leaves=8)


@st.composite
def torn(draw: st.DrawFn, texts: list[str]) -> str:
    """A template whose text lost, doubled or gained pieces."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 400)))
        piece = draw(st.one_of(TOKENS, st.just(""), st.just(text[start:end] * 2), st.text(max_size=12)))
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def misshapen(draw: st.DrawFn, texts: list[str]) -> str:
    """A template with values of any shape where others belong, as JSON."""
    template = load(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(1, 5))):
        _replace(draw, template)
    return json.dumps(template)


def _replace(draw: st.DrawFn, node: Any) -> None:
    """Walk down to somewhere and put another value there."""
    if node:
        mapping = cast(
            "dict[Any, Any]", node if isinstance(node, dict) else dict(enumerate(cast("list[Any]", node)))
        )
        key = draw(st.sampled_from(list(mapping)))
        if isinstance(mapping[key], (dict, list)) and draw(st.integers(0, 4)):
            _replace(draw, mapping[key])
        else:
            node[key] = draw(VALUES)


class Forgetful(Cache):
    """Keeps nothing, so that a slow template is slow whenever it comes."""

    def read(self, key: str, made: Callable[[object], T]) -> T | None:
        return None

    def write(self, key: str, plain: object) -> None:
        return None


def told(texts: list[str], folder: Path) -> list[Finding]:
    return examine(
        [Source(f"{index}.yaml", text) for index, text in enumerate(texts)],
        Forgetful(folder, "malformed", print),
    )


def assert_bounded(found: list[Finding]) -> None:
    for each in found:
        assert "\n" not in str(each)
        assert each.line >= 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MOST_MEMORY


@pytest.mark.parametrize("half", [0, 1])
def test_torn_text_is_checked_or_refused(half: int, tmp_path: Path) -> None:
    @MANY
    @given(torn(PLAIN[half::2]))
    def run(text: str) -> None:
        assert_bounded(told([text], tmp_path))

    run()


@pytest.mark.parametrize("half", [0, 1])
def test_values_of_any_shape_are_checked_or_refused(half: int, tmp_path: Path) -> None:
    @MANY
    @given(misshapen(PLAIN[half::2]))
    def run(text: str) -> None:
        assert_bounded(told([text], tmp_path))

    run()


def test_malformed_sam_templates_are_checked_or_refused(tmp_path: Path) -> None:
    """Two hundred at once: the translator is one child for all."""
    texts: list[str] = []

    @settings(MANY, max_examples=100)
    @given(torn(SAM), misshapen(SAM))
    def collect(first: str, second: str) -> None:
        texts.extend((first, second))

    collect()
    assert len(texts) >= 200
    assert any(Source("t", text).is_sam for text in texts)
    assert_bounded(told(texts, tmp_path))


def everywhere(text: str) -> str:
    """A template that has one text wherever checks read texts."""
    statement = {
        "Effect": "Allow",
        "Action": [text, f"s3:{text}"],
        "Resource": [text],
        "Principal": {"AWS": text},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    step = {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": [text]}}
    container = {"Name": "a", "Image": text, "Environment": [{"Name": "a", "Value": text}], "Command": [text]}
    types = {
        "EC2::LaunchTemplate": {
            "LaunchTemplateData": {"UserData": {"Fn::Base64": {"Fn::Sub": text}}, "ImageId": text}
        },
        "EC2::Instance": {"UserData": {"Fn::Base64": text}, "ImageId": {"Ref": "Text"}},
        "Lambda::Function": {"Code": {"ZipFile": text}, "Environment": {"Variables": {"A": text}}},
        "IAM::Role": {"AssumeRolePolicyDocument": document, "Policies": [{"PolicyDocument": document}]},
        "SSM::Document": {"Content": {"schemaVersion": "2.2", "mainSteps": [step]}},
        "ECS::TaskDefinition": {"ContainerDefinitions": [container]},
        "StepFunctions::StateMachine": {"DefinitionString": text},
        "Events::Rule": {"ScheduleExpression": text, "EventPattern": {"source": [text]}},
    }
    resources = {
        f"R{i}": {"Type": f"AWS::{kind}", "Properties": each} for i, (kind, each) in enumerate(types.items())
    }
    parameters = {"Text": {"Type": "String", "Default": text[:4_000], "AllowedPattern": text[:500]}}
    return json.dumps(
        {"Parameters": parameters, "Resources": resources, "Outputs": {"Text": {"Value": text}}}
    )


@pytest.mark.parametrize("text", LONG, ids=map(repr, PIECES))
def test_a_long_text_takes_no_check_long(text: str, tmp_path: Path) -> None:
    """An expression that goes back over a text takes the square of its length; sixteen thousand squared is a hang."""

    @settings(deadline=LONGEST, max_examples=1, database=None)
    @given(st.just(everywhere(text)))
    def run(template: str) -> None:
        assert_bounded(told([template], tmp_path))

    run()
