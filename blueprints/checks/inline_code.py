"""Python that a template carries: inline functions, and user data in Python, by ruff and by the compiler."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from .embedded import Code, programs
from .finding import Finding, Severity, Source
from .model import Model
from .programs import output, program

DISTRIBUTION = "ruff"

# Our own selection, less what says nothing about inline code: names, order and place of imports (modules are joined),
# length of lines, white space, tests, and print, which is how a function logs. PLE are errors that compilers find.
SELECTED = "A,B,C4,E401,E7,E9,F,PERF,PIE,PLE,RET,RUF,S,SIM,UP"
_IGNORED = "RUF100"  # a noqa for a rule that is not asked here

# A placeholder is a constant and a word where the deployed code has a value; on such lines these say nothing.
_OF_CONSTANTS = frozenset({"F821", "B015", "B018", "SIM222", "SIM223", "S105", "S106", "S107"})


class _Remark(NamedTuple):
    line: int
    rule: str
    severity: Severity
    message: str


def judge(source: Source) -> list[Finding]:
    """What ruff and the compiler have against all Python of a template that is not SAM, or is expanded.

    Raises TemplateError for text that is none, ToolMissingError where ruff is not installed.
    """
    model = Model(source)
    found = [code for code in programs(model) if code.language == "python"]
    return sorted({_finding(model, code, each) for code in found for each in _remarks(code)})


def _remarks(code: Code) -> list[_Remark]:
    told = _told(code.text, code.version)
    return [each for each in told if each.rule not in _OF_CONSTANTS or each.line not in code.filled]


@lru_cache(maxsize=512)  # variants of a blueprint have their functions in common
def _told(text: str, version: str) -> Sequence[_Remark]:
    checked = list(_checked(text, version))
    unparsed = any(each.rule == "invalid-syntax" for each in checked)
    return checked if unparsed else [*checked, *_compiled(text, version)]


def _checked(text: str, version: str) -> Iterator[_Remark]:
    target = [f"--target-version=py{version.replace('.', '')}"] if _known(version) else []
    command = [program("ruff", DISTRIBUTION), "check", "--isolated", "--no-cache", "--quiet"]
    command += ["--output-format=json", f"--select={SELECTED}", f"--ignore={_IGNORED}", *target]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "index.py"), "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        told, wrong = output([*command, "index.py"], folder)
    if not told:
        raise RuntimeError(f"ruff said nothing but {wrong!r}")
    for each in json.loads(told):
        rule = str(each["code"] or "invalid-syntax")
        yield _Remark(int(each["location"]["row"]), rule, _severity(rule), _message(each))


def _known(version: str) -> bool:
    """Whether ruff has a target of that name: 3.7 is its oldest."""
    return re.fullmatch(r"3\.([7-9]|1[0-5])", version) is not None


def _severity(rule: str) -> Severity:
    return "error" if re.match(r"invalid-syntax|E9|F[678]|PLE", rule) else "warning"


def _message(remark: dict[str, dict[str, str] | str | None]) -> str:
    fix, url = remark["fix"], remark["url"]
    remedy = f"; {fix['message'][:1].lower()}{fix['message'][1:]}" if isinstance(fix, dict) else ""
    message = " ".join(str(remark["message"]).split())
    return f"{message}{remedy}{f' ({url})' if url else ''}"


def _compiled(text: str, version: str) -> Iterator[_Remark]:
    """What the compiler of this Python refuses, where it is new enough to judge."""
    if version and tuple(int(part) for part in version.split(".")) > sys.version_info[:2]:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "index.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield _Remark(line, "syntax", "error", f"{getattr(error, 'msg', error)}; mend the syntax")


def _finding(model: Model, code: Code, remark: _Remark) -> Finding:
    engine = "python" if remark.rule == "syntax" else DISTRIBUTION
    message = f"{code.place(remark.line)}: {remark.message}"
    where = ".".join(code.path)
    return Finding(
        model.source.name, model.line(*code.path), remark.rule, remark.severity, where, message, engine
    )
