"""Templates as text: what two readers of YAML find in it is what was put in, and a person can review it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cfnlint.decode import decode_str
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blueprints.blocks.user_data import user_data
from blueprints.checks.template import load
from blueprints.core import BuildError
from blueprints.core.emit import to_json, to_text, to_yaml

# Text that some reader of YAML takes for something else, if nothing says that it is text.
AWKWARD = (
    "", " ", "  leading", "trailing ", "012345678901", "00", "08", "0o17", "0O17", "017", "0x1F", "0b11",
    "1_000", "+1", "-0", "1e3", "1E3", "1.5e3", ".5", "5.", "1.", "6.02E+23", "1e", "e1", "12:30:00", "1:2",
    "190:20:30", "-1:30", "Infinity", "-Infinity", "inf", ".inf", "-.INF", "NaN", "nan", ".nan", "null",
    "Null", "~", "y", "Y", "n", "N", "yes", "no", "on", "off", "On", "OFF", "true", "True", "FALSE",
    "2010-09-09", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00", "=", "<<", "-", "--", "---", "...", "- a",
    "? a", ": a", "a: b", "a:", ":a", "#", "# a", "a #b", "a#b", "!", "!Ref a", "!!int 3", "&a", "*a", "*",
    "%a", "@a", "`a`", "|", "|-", ">", "{", "}", "{}", "[", "]", "[]", "{a: b}", "[a, b]", ",", "a, b", "'",
    '"', "''", '""', "it's", 'say "a"', "\\", "\\n", "C:\\a", "${a}", "${!a}", "${#a}", "$(a)", "$$",
    "{{resolve:ssm:/a}}", "\n", "\n\n", "\n\n\n", "a\n", "a\n\n", "\na", "\n\na\n", "a\nb", "a\n\n\nb\n",
    "  a\nb", " a\n  b\n", "\n  a\n", "a\n  ", "#a\nb", "- a\n- b\n", "a: b\nc: d\n", "---\na\n", "...\n",
    "%YAML 1.1\n---\n", "!Ref a\nb", "'a'\n\"b\"\n", "\t", "a\tb", "\r", "a\rb", "caf\xe9", "\xfc\n\xe4\n",
    "\u4e2d\u6587", "\u4e2d\n\u6587\n", "\U0001f600", "\xa0", "\u2028", "a\u2028b", "\x85", "\ufeff",
    "\ufeffa", "\x00", "\x07", "\x1b[0m", "\x7f", "\x80", "\ue000", "\ufffd", "\u200b", "\u0663", "a" * 300,
    "a " * 200 + "b",
)  # fmt: skip

letters = st.text(st.characters(exclude_categories=["Cs"]))
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
numeric = st.from_regex(r"[-+]?[0-9._eExXoO:+\-]{1,8}", fullmatch=True)
texts = st.one_of(st.sampled_from(AWKWARD), letters, printable, numeric)
numbers = st.one_of(st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(texts, numbers, st.booleans())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)

names = st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}", fullmatch=True)
attributes = st.from_regex(r"[A-Z][a-z]{0,5}(\.[A-Z][a-z]{0,5}){0,2}", fullmatch=True)


def call(name: str, argument: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A function with an argument."""
    return st.fixed_dictionaries({name: argument})


def parts(*each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """A list of these."""
    return st.tuples(*each).map(list)


def functions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One intrinsic function, in every form that it has."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        call("Ref", names | st.just("AWS::Region")),
        call("Condition", names),
        call("Fn::GetAtt", parts(names, attributes)),
        call("Fn::Sub", texts),
        call("Fn::Sub", parts(texts, st.dictionaries(names, inner, max_size=2))),
        call("Fn::GetAZs", st.just("") | inner),
        call("Fn::Base64", inner),
        call("Fn::ImportValue", inner),
        call("Fn::Join", parts(texts, several)),
        call("Fn::If", parts(names, inner, inner)),
        call("Fn::Select", parts(st.integers(0, 9), several)),
        call("Fn::Or", several),
        call("Fn::Not", parts(inner)),
        call("Fn::Equals", parts(inner, inner)),
        call("Fn::FindInMap", parts(names, inner, inner)),
        call("Fn::Transform", st.fixed_dictionaries({"Name": names, "Parameters": inner})),
    )


intrinsics = st.recursive(texts | numbers, functions, max_leaves=12)


def written(value: Any) -> str:
    """A value with its types and its order, which `==` overlooks: 1, 1.0 and True are equal there."""
    return json.dumps(value)


def cfn_lint_reads(text: str) -> Any:
    """What cfn-lint's reader, which makes its own kinds of text and of mappings, finds."""
    template, faults = decode_str(text)
    assert not faults
    return template


def reads_back(template: dict[str, Any]) -> bool:
    """Whether both readers find in the YAML what was put in. False where a script cannot be written readably."""
    try:
        text = to_yaml(template)
    except BuildError:
        return False
    assert written(load(text)) == written(template)
    assert written(cfn_lint_reads(text)) == written(template)
    return True


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_reads_back_as_value_and_as_key(text: str) -> None:
    kept = reads_back({"Value": text, "List": [text, {text: text}], "Ref": [text], "Sub": {"Fn::Sub": text}})
    assert kept or "\n" in text


QUOTED = ("012345678901", "08", "1e3", "1_000", "0x1F", "0o17", "12:30:00", "y", "n", "no", "Infinity", "nan",
          "~", "null", "", "2010-09-09", "1.10")  # fmt: skip


@pytest.mark.parametrize("text", QUOTED)
def test_text_that_some_reader_takes_for_a_value_is_quoted(text: str) -> None:
    assert to_yaml({"Value": text}) == f"Value: '{text}'\n"


@settings(max_examples=300, deadline=None)
@given(values)
@example([1e20, 1e-7, -0.0, 2**70])
def test_data_reads_back(value: Any) -> None:
    reads_back({"Value": value})


@settings(max_examples=200, deadline=None)
@given(functions(intrinsics))
@example({"Fn::Base64": {"Fn::Join": ["\n", ["#!/bin/sh", {"Fn::Sub": "export A='${B}'"}, "echo\n"]]}})
@example(
    {"Fn::If": ["A", {"Fn::If": ["B", {"Ref": "C"}, {"Ref": "AWS::NoValue"}]}, {"Fn::GetAtt": ["D", "E.F"]}]}
)
@example({"Fn::Sub": ["${A} and ${B}", {"A": {"Ref": "C"}, "B": {"Fn::GetAtt": ["D", "E"]}}]})
def test_intrinsic_functions_read_back(value: dict[str, Any]) -> None:
    reads_back({"Value": value, "Values": [value]})


def test_intrinsic_functions_have_their_short_form() -> None:
    template = {
        "Ref": {"Ref": "Vpc"},
        "GetAtt": {"Fn::GetAtt": ["Vpc", "CidrBlock"]},
        "Sub": {"Fn::Sub": ["${A}", {"A": {"Ref": "Vpc"}}]},
        "If": {"Fn::If": ["Chosen", {"Ref": "Zone"}, {"Fn::Select": [0, {"Fn::GetAZs": ""}]}]},
        "Base64": {"Fn::Base64": {"Fn::Join": ["\n", ["#!/bin/sh", {"Fn::Sub": "echo ${A}"}, "exit 0\n"]]}},
        "And": {"Fn::And": [{"Condition": "Chosen"}, {"Fn::Not": [{"Condition": "Other"}]}]},
    }
    assert to_yaml(template) == (
        "Ref: !Ref Vpc\n"
        "GetAtt: !GetAtt Vpc.CidrBlock\n"
        "Sub: !Sub\n- ${A}\n- A: !Ref Vpc\n"
        "If: !If\n- Chosen\n- !Ref Zone\n- !Select\n  - 0\n  - !GetAZs ''\n"
        "Base64:\n  Fn::Base64: !Join\n  - \"\\n\"\n  - - '#!/bin/sh'\n    - !Sub echo ${A}\n    - |\n      exit 0\n"
        "And: !And\n- !Condition Chosen\n- !Not\n  - !Condition Other\n"
    )


def test_equal_parts_are_written_out_without_anchors() -> None:
    shared = {"Key": ["value"]}
    assert to_yaml({"A": shared, "B": shared}) == "A:\n  Key:\n  - value\nB:\n  Key:\n  - value\n"


def test_a_template_of_one_line_strings_needs_no_quotes_where_none_are_due() -> None:
    plain = {
        "Type": "AWS::EC2::VPC",
        "Arn": "arn:aws:s3:::a",
        "Path": "/a/b",
        "Time": "PT30M",
        "Words": "Two words.",
    }
    assert to_yaml(plain) == "".join(f"{key}: {value}\n" for key, value in plain.items())


@settings(max_examples=100, deadline=None)
@given(values)
def test_json_reads_back(value: Any) -> None:
    template = {"Value": value}
    text = to_text(template, "json")
    assert text == to_json(template)
    assert written(json.loads(text)) == written(template)
    assert text.endswith("}\n")


# Scripts

LINES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.rstrip)
SCRIPT = """\
#!/bin/bash
# Quotes: 'single', "double", `back`, \\"escaped\\", and one alone: '
set -euo pipefail
x=$(date +%s); y=${x}; z="${!x}"; n=${#x}; d=${x:-"a b"}; e=${x//\\//-}; p=$((1 << 2)); q=$$
cat <<'EOF' | sed -e 's/\\(a\\)/\\1/' > "/tmp/${x%%.*}"
    indented: {{ ${AWS::Region} }} %{a}
EOF

[[ $x =~ ^[0-9]+$ ]] && echo "caf\xe9 100% ~ done" || exit 1

"""


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("#!/bin/sh\n\techo\n", 2),
        ("#!/bin/sh\necho \nexit\n", 2),
        ("#!/bin/sh\necho\n   \nexit\n", 3),
        ("#!/bin/sh\r\necho\r\n", 1),
        ("#!/bin/sh\necho\x07\n", 2),
        ("#!/bin/sh\necho \U0001f600\n", 2),
        ("#!/bin/sh\n\ufeffecho\n", 2),
        ("#!/bin/sh\necho \u2028\n", 2),
        ("\n echo ", 2),
    ],
)
@pytest.mark.parametrize("function", [None, "Fn::Sub", "Fn::Base64"])
def test_a_script_that_yaml_would_fold_is_refused(script: str, line: int, function: str | None) -> None:
    with pytest.raises(
        BuildError, match=rf"^build: line {line} of|^line {line} of the text that begins"
    ) as refusal:
        to_yaml({"Value": {function: script} if function else script})
    assert str(refusal.value).endswith("no spaces at the end of a line and no control characters")


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, min_size=2, max_size=8))
@example(["", "  a", "b"])
@example(["  a", "", "b", "", ""])
def test_a_clean_script_reads_back_and_stands_there_line_by_line(lines: list[str]) -> None:
    script = "\n".join(lines)
    template = {"Script": script, "Sub": {"Fn::Sub": script}}
    assert reads_back(template)
    if script.strip("\n"):
        text = to_yaml(template)
        assert text.startswith("Script: |")
        assert [line.strip() for line in text.split("\n")[1 : len(lines) + 1]][: len(lines) - 1] == [
            line.strip() for line in lines[:-1]
        ]


@pytest.mark.parametrize("style", ["yaml", "json"])
def test_user_data_is_the_script_byte_for_byte(style: str, tmp_path: Path) -> None:
    path = tmp_path / "boot.sh"
    path.write_bytes(SCRIPT.encode())
    data = {"UserData": user_data(path, {}).to_dict()}
    text = to_yaml(data) if style == "yaml" else to_json(data)
    for template in (load(text), cfn_lint_reads(text)):
        sign, pieces = cast("dict[str, Any]", template)["UserData"]["Fn::Base64"]["Fn::Join"]
        assert all(isinstance(piece, str) for piece in pieces), "nothing of a script goes through Fn::Sub"
        assert sign.join(pieces).encode() == path.read_bytes()


def test_values_enter_user_data_between_the_first_line_and_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "boot.sh"
    path.write_text(SCRIPT)
    pieces = user_data(path, {"A": "$x `y` \\", "B": ""}).to_dict()["Fn::Base64"]["Fn::Join"][1]
    first, _, rest = SCRIPT.partition("\n")
    assert pieces == [first, "export A='$x `y` \\'", "export B=''", rest]
    for bad in ("it's", "two\nlines"):
        with pytest.raises(BuildError, match="leave out quotes and line breaks"):
            user_data(path, {"A": bad})


def test_libyaml_is_there() -> None:
    assert yaml.__with_libyaml__
