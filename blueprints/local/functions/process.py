"""The process of an execution environment: how it starts, what it uses, how it ends."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from . import memory

# Between SIGTERM and SIGKILL, in seconds; Lambda gives as much to a function with an internal extension.
GRACE = 0.5

# -S and -P: no site-packages and no folder of ours on the path. -B: Lambda cannot write beside the code, root can.
_PYTHON = ("-S", "-P", "-B", str(Path(__file__).with_name("launcher.py")))


def strays(mark: bytes) -> Iterator[int]:
    """Processes with a variable of that text in their environment, as what has left its group and parent still has."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone, or another user's
            if mark in entry.read_bytes().split(b"\0"):
                yield int(entry.parent.name)


class Process:
    """A process group with the runtime client. To be started by a thread that stays until it has ended.

    Raises OSError when no process can be had.
    """

    def __init__(self, handler: str, *, variables: Mapping[str, str], folder: Path, output: int) -> None:
        self._popen = subprocess.Popen(  # noqa: S603  # the handler's name is an argument, no shell reads it
            [sys.executable, *_PYTHON, str(os.getpid()), handler],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._mark = f"AWS_LAMBDA_RUNTIME_API={variables['AWS_LAMBDA_RUNTIME_API']}".encode()
        self._asked: float | None = None
        self._peak = 0

    @property
    def status(self) -> int | None:
        """None while it lives, then its exit status, negative for a signal."""
        return self._popen.poll()

    def exceeds(self, mebibytes: int) -> bool:
        """Whether it uses more memory now."""
        self.used()
        return memory.exceeds(self._popen.pid, mebibytes * memory.MIB)

    def used(self) -> int:
        """The most memory it is known to have used, in MiB; also asked after its end."""
        self._peak = max(self._peak, memory.peak(self._popen.pid))
        return math.ceil(self._peak / memory.MIB)

    def terminate(self) -> None:
        """Ask it to end; called again after `GRACE`, no longer ask."""
        if self._asked is None:
            self._asked = time.monotonic()
            self._signal(signal.SIGTERM)
        elif time.monotonic() > self._asked + GRACE:
            self.kill()

    def kill(self) -> None:
        """End it, if it lives."""
        if self.status is None:
            self._signal(signal.SIGKILL)

    def end_group(self) -> None:
        """End the children that it left behind. To be called once, right after it ended."""
        self._signal(signal.SIGKILL)
        for pid in strays(self._mark):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(OSError):
            os.killpg(self._popen.pid, number)
