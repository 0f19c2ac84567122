"""Run the proofs that tests/proofs/manifest.yaml declares, each as a pytest run of its own.

Prints each proof with its duration and result, and what its scenarios print. With CI=true a proof that is absent,
skipped or executes no scenario is a failure; elsewhere it may be skipped, with its reason. ONLY=name runs one, ALL=1
all; otherwise those whose blueprint or kit changed since the merge base with main, and the four that matter most.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from blueprints.review.proofs import scenarios

ALWAYS = ("deep_learning_cluster", "crud_api", "ecs_dns_discovery", "asg_backup")
SHARED = ("blueprints/core", "blueprints/blocks", "blueprints/local", "scripts/foreign", "requirements.lock")

_HEADING = re.compile(r"^-+ Captured .* -+$", re.MULTILINE)  # pytest's own


@dataclass(frozen=True)
class Result:
    """What one proof's run came to."""

    executed: int
    failed: int
    skipped: int
    seconds: float

    def verdict(self, strict: bool) -> str:
        """`passed`, or what is wrong with it."""
        if self.failed:
            return f"FAILED, {self.failed} of {self.executed} scenarios"
        if self.skipped and strict:
            return f"FAILED, {self.skipped} scenarios skipped"
        if not self.executed:
            return "FAILED, no scenario executed" if strict else "skipped"
        return f"passed, {self.executed} scenarios" + (f", {self.skipped} skipped" if self.skipped else "")


def main(root: Path, environment: Mapping[str, str]) -> int:
    """Run the proofs asked for; the exit status."""
    manifest: dict[str, str] = yaml.safe_load((root / "tests/proofs/manifest.yaml").read_text()) or {}
    strict = environment.get("CI") == "true"
    only = environment.get("ONLY", "")
    if only and only not in manifest:
        say(
            f"tests/proofs/manifest.yaml: {only}: no such proof; declared are {', '.join(manifest) or 'none'}"
        )
        return 2
    if not manifest:
        say("tests/proofs/manifest.yaml declares no proof yet; nothing was executed")
        return 0
    chosen = [only] if only else list(manifest) if environment.get("ALL") == "1" else changed(root, manifest)
    verdicts = [prove(root, name, manifest[name], strict) for name in chosen]
    return 1 if any("FAILED" in verdict for verdict in verdicts) else 0


def changed(root: Path, manifest: Mapping[str, str]) -> list[str]:
    """Proofs whose blueprint, templates or kit differ from the merge base, and those that always run."""
    base = git(root, "merge-base", "HEAD", "origin/main") or git(root, "rev-parse", "HEAD~1")
    paths = git(root, "diff", "--name-only", base).splitlines() if base else []
    if not base or any(path.startswith(SHARED) for path in paths):
        return list(manifest)
    return [name for name in manifest if name in ALWAYS or any(_concerns(path, name) for path in paths)]


def _concerns(path: str, name: str) -> bool:
    stack = name.replace("_", "-")
    return path.startswith((f"blueprints/{name}/", f"tests/proofs/{name}/")) or f"/{stack}" in path


def git(root: Path, *arguments: str) -> str:
    """What git answers, or nothing where it cannot."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip() if done.returncode == 0 else ""


def prove(root: Path, name: str, path: str, strict: bool) -> str:
    """Run one proof and print its line."""
    folder = root / "tests/proofs" / path
    if not folder.exists():
        verdict = f"FAILED, {folder.relative_to(root)} is absent"
        say(f"{name}: {verdict}")
        return verdict
    result = run(root, folder, root / "build" / "proofs" / f"{name}.xml")
    verdict = result.verdict(strict)
    say(f"{name}: {verdict} ({result.seconds:.1f} s)")
    return verdict


def run(root: Path, folder: Path, report: Path) -> Result:
    """pytest over one folder, counted from its own report."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    start = time.monotonic()
    workers = (os.cpu_count() or 1) + 1  # scenarios wait for periods and deadlines as much as they compute
    spread = ["-n", str(workers), "--dist", "loadfile"]  # those of a file share what is costly
    reported = ["-rs", "-o", "junit_logging=system-out", f"--junitxml={report}"]
    command: Sequence[str] = [sys.executable, "-m", "pytest", *spread, *reported, str(folder)]
    status = subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603
    seconds = time.monotonic() - start
    if not report.exists():
        return Result(0, 1, 0, seconds)
    suite = next(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - our own pytest wrote it
    missing = {name for _, name in scenarios(folder)} - {
        str(case.get("name")).partition("[")[0] for case in suite.iter("testcase")
    }
    for name in sorted(missing):
        say(f"{folder.name}: {name} did not run, and the README says it does")
    for printed in suite.iter("system-out"):
        if text := _HEADING.sub("", printed.text or "").strip():
            say(textwrap.indent(text, "  "))
    counts = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    failed = counts["failures"] + counts["errors"] + len(missing)
    if status not in (0, 5) and not failed:
        failed = 1
    return Result(counts["tests"] - counts["skipped"], failed, counts["skipped"], seconds)


def say(line: str) -> None:
    """One line, at once, so that a long run shows how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, os.environ))
