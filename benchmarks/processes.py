"""Whole processes run in turn: wall time, the kernel's count of CPU time and memory, ratios within a round."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .places import LOGS, ROOT


@dataclass(frozen=True)
class Command:
    """One whole-process command. `prepare` runs before each start and is not timed."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path = ROOT
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Usage:
    """What one run took. Peak memory is that of the largest process, as the kernel reports it, not a sum."""

    wall_ms: float
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Series:
    """The runs of one command, the first apart."""

    name: str
    runs: Sequence[Usage]

    @property
    def first(self) -> Usage:
        """The first run of all, before anything is warm that this command warms."""
        return self.runs[0]

    @property
    def rest(self) -> Sequence[Usage]:
        """The runs after the first; of a single run, that one."""
        return self.runs[1:] or self.runs


def say(line: str) -> None:
    """One plain line of progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def attempt(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command that may fail, with what it wrote."""
    return subprocess.run(argv, env=_environment(env), cwd=cwd, capture_output=True, text=True)  # noqa: S603 - our own command


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours, but Python keeps byte code as it does by default; without it every run compiles what was edited."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **extra}


def run(argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Output of a command that must succeed. Raises SystemExit with what it said."""
    done = attempt(argv, env or {}, cwd)
    if done.returncode:
        raise SystemExit(
            f"{shlex.join(argv)} failed with {done.returncode}:\n{done.stdout}{done.stderr}".rstrip()
        )
    return done.stdout


def measure(command: Command) -> Usage:
    """One run. Raises SystemExit if the command fails: a ratio to a failure says nothing."""
    command.prepare()
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{''.join(each if each.isalnum() else '-' for each in command.name)}.log"
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own command
            command.argv,
            env=_environment(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"{command.name} failed with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}"
        )
    return Usage(wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss / 1024)


def in_turn(commands: Sequence[Command], rounds: int) -> list[Series]:
    """A B C A B C ...: one first round, then `rounds` more."""
    runs: dict[str, list[Usage]] = {each.name: [] for each in commands}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "first runs")
        for command in commands:
            runs[command.name].append(measure(command))
    return [Series(name, found) for name, found in runs.items()]


def paired(series: Series, base: Series, what: Callable[[Usage], float]) -> list[float]:
    """The ratio to the base, round by round, the first round left out."""
    return [what(ours) / what(theirs) for ours, theirs in zip(series.rest, base.rest, strict=True)]


def spread(values: Iterable[float], digits: int = 0) -> str:
    """`median (min-max)`."""
    found = list(values)
    low, middle, high = min(found), statistics.median(found), max(found)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"
