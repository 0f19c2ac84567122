"""checkov: all of its CloudFormation checks, in its own environment, without its network."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blueprints.checks.finding import Source

from .omissions import Finding


class CheckovError(Exception):
    """checkov did not read all it was given, or broke."""


def findings(sources: Sequence[Source], python: Path, folder: Path) -> list[Finding]:
    """What checkov objects to. A resource's `Metadata: checkov: skip` is obeyed, by checkov itself.

    `folder` is emptied for the copies that it reads. Raises CheckovError unless it judged every template.
    """
    names = _copies(sources, folder)
    command = [python, "-m", "checkov.main", "--directory", folder, "--framework", "cloudformation"]
    command += ["--skip-download", "--soft-fail", "--compact", "--output", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CheckovError(f"ended with status {done.returncode}: {done.stderr[-800:].strip()}")
    return read(done.stdout, names)


def _copies(sources: Sequence[Source], folder: Path) -> dict[str, str]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names: dict[str, str] = {}
    for index, source in enumerate(sources):
        name = f"{index:03}.{'json' if source.text.startswith('{') else 'yaml'}"
        (folder / name).write_text(source.text)
        names[name] = source.name
    return names


def read(report: str, names: Mapping[str, str]) -> list[Finding]:
    """Findings of a report, by the names that the copies stand for. Raises CheckovError for one that lacks any."""
    try:
        whole: dict[str, Any] = json.loads(report)
        results, errors = whole["results"], whole["summary"]["parsing_errors"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckovError(f"its report is none: {report[:200]!r}") from error
    judged = {Path(each["file_path"]).name for kind in ("passed", "failed", "skipped")
              for each in results.get(f"{kind}_checks", [])}  # fmt: skip
    unread = sorted(name for copy, name in names.items() if copy not in judged)
    if unread or errors:
        raise CheckovError(f"{errors} parsing errors; not judged: {', '.join(unread) or 'none'}")
    return [
        Finding(
            names[Path(each["file_path"]).name],
            str(each["resource"]).rpartition(".")[2],
            str(each["check_id"]),
            str(each["check_name"]),
        )
        for each in results["failed_checks"]
    ]
