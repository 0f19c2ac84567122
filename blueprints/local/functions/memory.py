"""How much memory a process uses, from /proc; where there is none, nothing is known and no limit holds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024


def exceeds(pid: int, limit: int) -> bool:
    """Whether a process and its descendants use more than `limit` bytes.

    Resident sizes count shared pages once for each process, so a verdict over several rests on the proportional
    sizes, which take longer to read.
    """
    return _resident(pid) > limit and sum(_field(each, "smaps_rollup", "Pss:") for each in _tree(pid)) > limit


def peak(pid: int) -> int:
    """Most bytes that a process had resident so far."""
    return _field(pid, "status", "VmHWM:")


def _resident(pid: int) -> int:
    return sum(_field(each, "status", "VmRSS:") for each in _tree(pid))


def _tree(pid: int) -> list[int]:
    """A process and its descendants. What daemonises leaves the tree, and its limit."""
    found = [pid]
    for parent in found:  # grows while it is walked
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                with suppress(OSError):
                    found += map(int, Path(f"/proc/{parent}/task/{thread}/children").read_text().split())
    return found


def _field(pid: int, file: str, name: str) -> int:
    """A field of /proc/PID/FILE that counts kB, in bytes; 0 for a process that is gone."""
    with suppress(OSError), open(f"/proc/{pid}/{file}") as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0
