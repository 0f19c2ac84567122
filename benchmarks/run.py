"""Renders, generates the CDK's apps, proves them equal, measures in turn: `python -m benchmarks.run`.

This process stays small and imports nothing heavy: a child's peak memory starts from its parent's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from . import commands, environments, stack_copies, tables
from .environments import Environments
from .places import (
    ASSEMBLY,
    BENCH,
    ENVIRONMENT,
    JAVASCRIPT_APP,
    OWN,
    PYTHON_APP,
    RESULT,
    ROOT,
    STACKS,
    TEMPLATES,
)
from .processes import attempt, in_turn, measure, run, say

_LINTERS = ("cfnlint", "cloudformation_validate", "samtranslator")
_MANY = 1000


def main() -> None:
    """Command line. A missed target is told, not an error; 1 if the templates differ or a command fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds after the first (default 7)")
    parser.add_argument(
        "--stacks", type=int, default=15, help="stacks; examples are copied to reach it (default 15)"
    )
    parser.add_argument("--no-cdk", action="store_true", help="ours alone; no Node is needed")
    arguments = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    names = stack_copies.prepare(arguments.stacks)
    _render_all()
    found = Environments() if arguments.no_cdk else environments.prepare()
    notes = [*found.missing, *(_generate(found) if found.cli else [])]
    report = "\n".join(
        [*_head(found, names, arguments.rounds), *_notes(notes), *_measured(found, arguments.rounds)]
    )
    RESULT.write_text(f"{report}\n")
    sys.stdout.write(f"{report}\n")


def _python(module: str, *arguments: str | Path) -> str:
    return run([sys.executable, "-m", module, *map(str, arguments)], env=OWN, cwd=BENCH)


def _render_all() -> None:
    say("rendering")
    _python("blueprints", "render", "--no-validate", "--stacks", STACKS, "--out", TEMPLATES)
    _python("benchmarks.floor", "write")


def _generate(found: Environments) -> list[str]:
    """Write both apps, run what will be measured once, prove it equal. Returns what could not be typed."""
    say("generating the CDK's apps")
    templates = TEMPLATES / ENVIRONMENT
    told = _python("benchmarks.cdk_source", templates, ASSEMBLY, JAVASCRIPT_APP, PYTHON_APP)
    outputs: list[Path] = []
    for command in commands.theirs(found):
        say(f"for equality: {command.name}")
        measure(command)
        outputs.append(commands.output_of(command.name))
    proof = _python("benchmarks.equality", templates, *outputs)
    return [
        f"Equality: {proof.strip()}.",
        "Generated CDK source, one app: " + told.strip().replace("\n", "\n  - "),
    ]


def _measured(found: Environments, rounds: int) -> Iterator[str]:
    ours = commands.ours()
    say("filling the warm cache")
    measure(next(each for each in ours if each.name == commands.RENDER_WARM))
    checkers = commands.checkers()
    say("filling the cache of expansions")
    measure(checkers[0])
    series = in_turn([*ours, *checkers, *commands.theirs(found)], rounds)
    say("marginal cost and memory")
    marginal = _marginal()
    say("lint of an unchanged catalogue")
    linters = _linters_loaded()
    say("a stack on this machine")
    stack = tables.Local(**json.loads(run([sys.executable, "-m", "benchmarks.local_stack"], cwd=ROOT)))
    say("backups of an instance")
    backups = _backups()
    yield from ("", "## Targets", "", *tables.targets(series, marginal, stack, backups, linters))
    yield from ("", "## Whole processes", "", *tables.processes(series, commands.RENDER))
    yield from (
        "",
        f"## One more stack, about {_MANY} of each kind in one process",
        "",
        *tables.marginal(marginal),
    )
    yield from ("", "## `blueprints local`, beside a bare `http.server`", "", *tables.local(stack))
    yield from ("", "## The script of `asg_backup`, beside three commands", "", *tables.backups(backups))


def _marginal() -> tables.Marginal:
    once = len([path for path in (STACKS / ENVIRONMENT).glob("*.yaml") if path.name != "environment.yaml"])
    rows = json.loads(_python("benchmarks.floor", "ratios", str(_MANY)))
    counts = sorted({1, once, _MANY})
    memory = {
        kind: {count: float(_python("benchmarks.floor", "memory", kind, str(count))) for count in counts}
        for kind in rows
    }
    return tables.Marginal(rows, memory, once, _MANY)


def _backups() -> list[tables.Backup]:
    """What `backup.py` found; nothing where nobody may make namespaces."""
    done = attempt([sys.executable, "-m", "benchmarks.backup"], OWN, ROOT)
    if done.returncode:
        say(f"backups: {done.stderr.strip().splitlines()[-1]}")
        return []
    return [tables.Backup(**each) for each in json.loads(done.stdout)]


def _linters_loaded() -> list[str] | None:
    """Linters that a second `lint` imports; None where there is no linter."""
    argv = [sys.executable, "-m", "blueprints", "lint", "--stacks", str(STACKS), "--out", str(TEMPLATES)]
    env = commands.lint_environment()
    first = attempt(argv, env, BENCH)
    if first.returncode not in (0, 1):  # 1 is a finding, which the cache holds as well
        say(f"lint: {first.stderr.strip()}")
        return None
    told = attempt(argv, {**env, "PYTHONPROFILEIMPORTTIME": "1"}, BENCH).stderr.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in told if line.startswith("import time:")}
    return [each for each in _LINTERS if each in imported]


def _head(found: Environments, names: list[str], rounds: int) -> Iterator[str]:
    copies = sum(name.rpartition("-")[2].isdigit() for name in names)
    yield from ("# Benchmark", "")
    yield f"- {datetime.date.today().isoformat()}, {_cpu_model()}, {os.cpu_count()} cores, {platform.system()}"
    yield f"- load average at the start {os.getloadavg()[0]:.1f}; other work on the machine stretches wall times"
    yield f"- {', '.join(_versions(found))}"
    yield f"- {len(names)} stacks, {copies} of them copies: {', '.join(names)}"
    yield f"- a first run, then {rounds} rounds, commands in turn; median (min-max); ratios within a round"


def _versions(found: Environments) -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield from run([sys.executable, "-c", _OWN_VERSIONS], cwd=ROOT).splitlines()
    if found.node:
        yield f"Node {run([found.node, '--version']).strip().removeprefix('v')}"
    if found.cli:
        yield f"aws-cdk-lib {environments.AWS_CDK_LIB}, constructs {environments.CONSTRUCTS}"
        yield f"CDK CLI {environments.CDK_CLI_VERSION}"


_OWN_VERSIONS = """
from importlib.metadata import PackageNotFoundError, version
for name in ("troposphere", "pydantic", "PyYAML", "cloudformation-validate", "aws-sam-translator", "cfn-lint"):
    try:
        print(name, version(name))
    except PackageNotFoundError:
        print(name, "missing")
"""


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _notes(notes: list[str]) -> list[str]:
    return [f"- {note}" for note in notes]


if __name__ == "__main__":
    main()
