"""This node's GPUs, as the driver sees them."""

from __future__ import annotations

import subprocess

_SECONDS = 30  # a driver that is gone may never answer


def listed() -> int:
    """GPUs that the driver lists; none where it fails."""
    return sum(line.startswith("GPU ") for line in smi("-L"))


def smi(*arguments: str) -> list[str]:
    """The lines that nvidia-smi prints; none where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False,  # noqa: S607
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
