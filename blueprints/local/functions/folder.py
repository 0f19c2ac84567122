"""One temporary folder a function, which also goes when the process that made it was killed."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from .code import remove

PREFIX = "compute-blueprints-function-"
_LOCK = "lock"


class Folder:
    """A temporary folder, locked while this process lives. Removes what killed processes left behind."""

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # The lock gets its name once it is held: a sweep by another process finds it held, or not at all.
        unnamed = self.path / f"{_LOCK}.new"
        self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self.path / _LOCK)

    def close(self) -> None:
        """Remove the folder."""
        remove(self.path)
        os.close(self._lock)


def _sweep() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # another user's, or gone
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(lock.parent)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
