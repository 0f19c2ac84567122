"""Gates by tools that are not ours: Guard and checkov over our templates; CDK, CFNgin, Sceptre and SAM as readers.

Prints a line a tool with its seconds. With CI=true a tool that cannot be installed is a failure; elsewhere it is
skipped, with the reason. ONLY=name runs one.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from blueprints.checks.acceptance import unhidden
from blueprints.checks.finding import Source
from blueprints.core import BlueprintError

from . import acceptors, canary, checkov, environments, guard, omissions, readers, stacks, templates
from .environments import FOREIGN, ROOT, UnavailableError
from .omissions import Tool


@dataclass(frozen=True)
class Gate:
    """A tool, which versions of what, and how it is run: `prepare` installs, `run` returns what is wrong."""

    name: str
    what: str
    prepare: Callable[[], object]
    run: Callable[[], tuple[str, list[str]]]


def gates() -> list[Gate]:
    """All of them, in the order in which they run."""
    control_tower, registry = environments.CONTROL_TOWER[1], environments.REGISTRY[1]
    made = [
        Gate(
            "guard", f"Control Tower {control_tower}, Registry {registry}", environments.guard_rules, _guard
        ),
        Gate("checkov", environments.pinned("checkov", "checkov"), _installed("checkov"), _checkov),
    ]
    for name, distribution, read in (
        ("cfngin", "runway", readers.with_cfngin),
        ("sceptre", "sceptre", readers.with_sceptre),
        ("cdk", "aws-cdk-lib", readers.with_cdk),
    ):
        version = f"{distribution} {environments.pinned(name, distribution)}"
        made.append(Gate(name, version, _installed(name), _reader(name, read)))
    clis = ", ".join(f"{each} {environments.pinned('sam', each)}" for each in ("aws-sam-cli", "awscli"))
    return [*made, Gate("sam", clis, _installed("sam"), _sam)]


def _installed(name: str) -> Callable[[], object]:
    return lambda: environments.python(name)


def _guard() -> tuple[str, list[str]]:
    judged = _judged("guard")
    return _verdict("guard", judged, guard.findings(judged, environments.guard_rules()))


def _checkov() -> tuple[str, list[str]]:
    judged = _judged("checkov")
    found = checkov.findings(judged, environments.python("checkov"), FOREIGN / "work" / "checkov")
    return _verdict("checkov", judged, found)


def _judged(tool: Tool) -> list[Source]:
    """What a tool judges, its own suppressions unread where we accept: so it shows which are stale."""
    return [*(unhidden(each, tool) for each in _templates()), canary.source()]


@cache
def _templates() -> list[Source]:
    return templates.with_expansions([*templates.committed(ROOT), *templates.telling_variants()])


def _verdict(tool: Tool, judged: list[Source], found: list[omissions.Finding]) -> tuple[str, list[str]]:
    known = [each for each in omissions.load() if each.tool == tool]
    ours = [each for each in found if each.template != canary.NAME]
    left, idle = omissions.unaccepted(ours, judged, tool)
    wrong = [
        *canary.faults(tool, found),
        *map(str, omissions.remaining(left, known)),
        *idle,
        *omissions.stale(left, known),
    ]
    return f"{len(judged) - 1} templates, {len(known)} rules omitted", wrong


def _reader(name: str, read: readers.Reader) -> Callable[[], tuple[str, list[str]]]:
    def run() -> tuple[str, list[str]]:
        listed = stacks.all_stacks(ROOT)
        return f"{len(listed)} stacks", read(ROOT, listed, environments.python(name), FOREIGN / "work" / name)

    return run


def _sam() -> tuple[str, list[str]]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it tells of every request
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        return acceptors.faults(ROOT, environments.python("sam"), FOREIGN / "work" / "sam", endpoint)
    finally:
        server.stop()


def main(known: list[Gate], environment: Mapping[str, str]) -> int:
    """Run the gates asked for; the exit status."""
    only = environment.get("ONLY", "")
    if only and only not in {each.name for each in known}:
        say(f"ONLY={only}: no such tool; write one of {', '.join(each.name for each in known)}")
        return 2
    strict = environment.get("CI") == "true"
    try:
        results = [_passes(each, strict) for each in known if only in ("", each.name)]
    except BlueprintError as error:
        say(str(error))
        return 2
    return 0 if all(results) else 1


def _passes(gate: Gate, strict: bool) -> bool:
    """Install and run one tool, and print what came of it."""
    start = time.monotonic()
    try:
        gate.prepare()
    except UnavailableError as error:
        say(f"{gate.name}: {'FAILED' if strict else 'skipped'}, cannot be installed: {error}")
        return not strict
    ready = time.monotonic()
    try:
        what, wrong = gate.run()
    except (checkov.CheckovError, readers.ReaderError, templates.ExpansionError) as error:
        what, wrong = "did not finish", [str(error)]
    seconds = f"installed in {ready - start:.1f} s, ran in {time.monotonic() - ready:.1f} s"
    verdict = f"FAILED, {len(wrong)} to mend" if wrong else "passed"
    say(f"{gate.name}: {verdict}: {gate.what}; {what} ({seconds})")
    for each in wrong:
        say(f"  {each}")
    return not wrong


def say(line: str) -> None:
    """One line, at once, so that a long run shows how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(gates(), os.environ))
