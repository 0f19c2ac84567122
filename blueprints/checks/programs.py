"""Linters that are programs: found beside this Python or on PATH, run with a time limit."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .tools import ToolMissingError

_SECONDS = 120


def program(name: str, distribution: str) -> str:
    """The path of a program. Raises ToolMissingError, with the distribution that brings it, where there is none."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise ToolMissingError(distribution)
    return found


def output(command: Sequence[str], folder: str) -> tuple[str, str]:
    """Both outputs of a linter that reports on files of a folder, whatever its status."""
    import subprocess

    # Settings of whoever runs this must not have a say: results are cached and shared.
    ours = ("BASH_ENV", "ENV", "SHELLCHECK_OPTS", "POSIXLY_CORRECT")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    return done.stdout, done.stderr
