"""What was measured, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import commands
from .processes import Series, Usage, paired, spread


def wall(usage: Usage) -> float:
    """The measure of the targets."""
    return usage.wall_ms


def cpu(usage: Usage) -> float:
    """The measure that other work on the machine disturbs least."""
    return usage.cpu_ms


@dataclass(frozen=True)
class Marginal:
    """What `floor.py` found: a row a kind, and peak memory by kind and number of stacks."""

    rows: Mapping[str, Mapping[str, str | float]]
    memory: Mapping[str, Mapping[int, float]]
    once: int  # stacks in a pass
    many: int


@dataclass(frozen=True)
class Local:
    """What `local_stack.py` found: seconds to first answers, and milliseconds and rates of the two servers."""

    starts: Sequence[float]
    local: Mapping[str, Any]
    bare: Mapping[str, Any]


@dataclass(frozen=True)
class Backup:
    """What `backup.py` found for so many MiB: throughput as a ratio, and what the script and the commands took."""

    mib: int
    ratio: float
    worst: float
    script: Mapping[str, float]
    commands: Mapping[str, float]


@dataclass(frozen=True)
class Target:
    """A sentence of what should hold, the bound and what was measured; None where it could not be."""

    sentence: str
    bound: float
    measured: float | None
    fraction: bool = False  # told as 1/N

    def row(self) -> tuple[str, str, str, str]:
        """Sentence, bound, measured, verdict."""
        if self.measured is None:
            return self.sentence, self._told(self.bound), "not measured", ""
        verdict = "met" if self.measured <= self.bound else "not met"
        return self.sentence, self._told(self.bound), self._told(self.measured), verdict

    def _told(self, value: float) -> str:
        return f"1/{1 / value:.1f}" if self.fraction else f"{value:.2f}"


def processes(series: Sequence[Series], base: str) -> Iterator[str]:
    """Whole processes, with the ratio of each to `base`."""
    found = {each.name: each for each in series}
    yield from table(
        ["what", "first run, wall ms", "wall ms", "CPU ms", "peak MB", f"wall, x {base}", f"CPU, x {base}"],
        [
            (
                each.name,
                f"{each.first.wall_ms:.0f}",
                spread(map(wall, each.rest)),
                spread(map(cpu, each.rest)),
                f"{max(run.peak_mb for run in each.runs):.0f}",
                spread(paired(each, found[base], wall), 2),
                spread(paired(each, found[base], cpu), 2),
            )
            for each in series
        ],
    )


def marginal(found: Marginal) -> Iterator[str]:
    """CPU a stack and memory, beside the floor."""
    counts = sorted(next(iter(found.memory.values())))
    yield from table(
        [
            "what",
            "CPU ms a stack",
            "x floor",
            "x floor by pass",
            *(f"peak MB at {count}" for count in counts),
        ],
        [
            (
                kind,
                str(row["ms"]),
                f"{row['ratio']:.2f}",
                str(row["spread"]),
                *(f"{found.memory[kind][count]:.0f}" for count in counts),
            )
            for kind, row in found.rows.items()
        ],
    )


def local(found: Local) -> Iterator[str]:
    """A word from a function, by what asks for it."""
    servers = {"front, runtime and function": found.local, "bare `http.server`": found.bare}
    counts = list(found.local["rates"])
    yield from table(
        ["what", "median ms", "p95 ms", *(f"requests a second, {count} clients" for count in counts)],
        [
            (
                name,
                f"{each['median']:.2f}",
                f"{each['p95']:.2f}",
                *(f"{each['rates'][count]:.0f}" for count in counts),
            )
            for name, each in servers.items()
        ],
    )
    yield ""
    yield f"From start to first answer: {', '.join(f'{each:.1f} s' for each in found.starts)}."


def backups(found: Sequence[Backup]) -> Iterator[str]:
    """Each size, by who backed it up."""
    yield from table(
        ["what", "MiB", "MiB/s", "seconds", "CPU seconds", "peak MB", "throughput, ratio (worst)"],
        [
            (
                name,
                str(each.mib),
                f"{used['rate']:.0f}",
                f"{used['wall_s']:.1f}",
                f"{used['cpu_s']:.1f}",
                f"{used['peak_mb']:.0f}",
                told,
            )
            for each in found
            for name, used, told in (
                ("the script", each.script, f"{each.ratio:.2f} ({each.worst:.2f})"),
                ("`tar`, `gzip`, `aws s3 cp -`", each.commands, ""),
            )
        ],
    )


def targets(
    series: Sequence[Series],
    found: Marginal,
    stack: Local,
    backed_up: Sequence[Backup],
    linters: Sequence[str] | None,
) -> Iterator[str]:
    """Each target with what was measured beside it."""
    rows = [
        each.row()
        for each in [
            *_process_targets(series),
            *_marginal_targets(found),
            *_local_targets(stack),
            _backup_target(backed_up),
        ]
    ]
    told = "not measured" if linters is None else ", ".join(linters) or "none"
    verdict = "" if linters is None else "not met" if linters else "met"
    rows.append(("linters loaded by the lint of an unchanged catalogue", "none", told, verdict))
    yield from table(["target", "at most", "measured", ""], rows)


def _process_targets(series: Sequence[Series]) -> list[Target]:
    found = {each.name: each for each in series}

    def ratio(ours: str, theirs: str) -> float | None:
        if theirs not in found:
            return None
        return statistics.median(paired(found[ours], found[theirs], wall))

    return [
        Target(
            "render, no validation, to `cdk synth`, validation off",
            1 / 6,
            ratio(commands.RENDER, commands.SYNTH_OFF),
            True,
        ),
        Target(
            "render, no validation, to CDK Python's app, validation off",
            1 / 8,
            ratio(commands.RENDER, commands.PYTHON_OFF),
            True,
        ),
        Target(
            "render with validation, cold cache, to `cdk synth` as it comes",
            1 / 4,
            ratio(commands.RENDER_COLD, commands.SYNTH),
            True,
        ),
        Target(
            "render with validation, warm cache, to render without",
            1.3,
            ratio(commands.RENDER_WARM, commands.RENDER),
        ),
        Target(
            "check of templates never seen, expansions known, to cfn-lint",
            1 / 4,
            ratio(commands.CHECK, commands.CFN_LINT),
            True,
        ),
    ]


def _marginal_targets(found: Marginal) -> list[Target]:
    flat = max(each[found.many] / each[found.once] for each in found.memory.values())
    return [
        Target(
            "one more stack as JSON, to a literal and `json.dumps`", 3.5, float(found.rows["json"]["ratio"])
        ),
        Target(
            "one more stack as YAML, to a literal and `json.dumps`", 6.0, float(found.rows["yaml"]["ratio"])
        ),
        Target("peak memory after all stacks many times, to all once", 1.1, flat),
    ]


def _local_targets(stack: Local) -> list[Target]:
    return [
        Target("seconds to the first answer of a stack on this machine", 4, statistics.median(stack.starts)),
        Target(
            "milliseconds that front and runtime add to a request, median",
            10,
            stack.local["median"] - stack.bare["median"],
        ),
    ]


def _backup_target(found: Sequence[Backup]) -> Target:
    largest = max(found, key=lambda each: each.mib, default=None)
    size = f" of {largest.mib} MiB" if largest else ""
    return Target(
        f"time of a backup{size}, to `tar | gzip | aws s3 cp -`",
        1 / 0.9,
        1 / largest.ratio if largest else None,
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
