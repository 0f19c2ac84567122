"""What one more stack costs in a process, beside the floor: the same template as a literal and `json.dumps`.

`ratios` goes through the stacks again and again, floor and ours in turn for each pass, and counts CPU time;
`memory` does one of them alone, so that the peak is its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pprint
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from .cfn_yaml import load_folder
from .places import ENVIRONMENT, FLOOR, STACKS, TEMPLATES
from .processes import spread

if TYPE_CHECKING:
    from blueprints.core.stack_file import EnvironmentFile

KINDS = ("floor", "json", "yaml")
Pass = Callable[[], None]


def render_once(path: Path, style: Literal["json", "yaml"]) -> str:
    """One stack, from its file to the text of its template. The one place that knows the package's call."""
    from blueprints.core.render import render_stack
    from blueprints.core.stack_file import load_stack

    return render_stack(load_stack(path, _environment(path.parent)), style).template


@cache
def _environment(folder: Path) -> EnvironmentFile:
    from blueprints.core.stack_file import load_environment

    return load_environment(folder)


def write() -> None:
    """The module of literals, one function a template."""
    templates = load_folder(TEMPLATES / ENVIRONMENT)
    functions = [
        f"def build_{index}():\n    return {pprint.pformat(each)}"
        for index, each in enumerate(templates.values())
    ]
    names = ", ".join(f"build_{index}" for index in range(len(templates)))
    FLOOR.write_text(
        "\n\n\n".join(["# Written by benchmarks/floor.py.", *functions, f"TEMPLATES = ({names},)"]) + "\n"
    )


def _passes() -> dict[str, list[Pass]]:
    """For each kind one function a stack."""
    paths = sorted(path for path in (STACKS / ENVIRONMENT).glob("*.yaml") if path.name != "environment.yaml")
    builders = cast("Sequence[Callable[[], object]]", importlib.import_module(FLOOR.stem).TEMPLATES)
    return {
        "floor": [lambda build=build: _dump(build()) for build in builders],
        "json": [lambda path=path: _discard(render_once(path, "json")) for path in paths],
        "yaml": [lambda path=path: _discard(render_once(path, "yaml")) for path in paths],
    }


def _dump(template: object) -> None:
    json.dumps(template, indent=1, sort_keys=True, separators=(",", ": "))


def _discard(text: str) -> None:
    if not text:
        raise SystemExit("an empty template")


def ratios(count: int) -> dict[str, dict[str, str | float]]:
    """CPU ms a stack, and the ratio to the floor pass by pass, over about `count` stacks of each kind."""
    passes = _passes()
    for each in passes.values():  # imports, and what is made once
        _timed(each)
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(max(1, round(count / len(passes["floor"])))):
        for kind in KINDS:
            spent[kind].append(_timed(passes[kind]) / len(passes[kind]))
    return {kind: _row(spent[kind], spent["floor"]) for kind in KINDS}


def _row(spent: Sequence[float], floor: Sequence[float]) -> dict[str, str | float]:
    by_pass = [ours / base for ours, base in zip(spent, floor, strict=True)]
    return {
        "ms": spread((each * 1e3 for each in spent), 2),
        "spread": spread(by_pass, 2),
        "ratio": sum(spent) / sum(floor),
    }


def _timed(functions: Sequence[Pass]) -> float:
    began = time.process_time()
    for function in functions:
        function()
    return time.process_time() - began


def memory(kind: str, count: int) -> float:
    """Peak MB of this process after `count` stacks."""
    functions = _passes()[kind]
    for index in range(count):
        functions[index % len(functions)]()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Command line; prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("write")
    tasks.add_parser("ratios").add_argument("count", type=int)
    measured = tasks.add_parser("memory")
    measured.add_argument("kind", choices=KINDS)
    measured.add_argument("count", type=int)
    arguments = parser.parse_args()
    if arguments.task == "write":
        write()
    elif arguments.task == "ratios":
        sys.stdout.write(json.dumps(ratios(arguments.count)))
    else:
        sys.stdout.write(json.dumps(memory(arguments.kind, arguments.count)))


if __name__ == "__main__":
    main()
