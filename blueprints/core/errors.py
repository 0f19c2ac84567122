"""What goes wrong, in the user's words: `file: where: what, what to do`.

One error tree. Whatever finds faults collects them, so that a run shows all of them at once; the CLI prints
them in a stable order and exits with status 2, without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """One thing to mend. `file` as the user wrote it, `where` a dotted path or a line in it, or empty."""

    file: str
    where: str
    what: str

    def __str__(self) -> str:
        line = ": ".join(part for part in (self.file, self.where, self.what) if part)
        # What the user wrote may hold line breaks and worse; a fault is one line all the same.
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class BlueprintError(Exception):
    """Bad input. Carries every fault found, sorted and without repetition."""

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        found = [faults] if isinstance(faults, Fault) else faults
        self.faults: tuple[Fault, ...] = tuple(sorted(set(found)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class BuildError(BlueprintError):
    """A blueprint refuses to build: its choices contradict each other, or it breaks a rule of the house.

    Raised inside `build()` with a message alone; the renderer adds the stack file.
    """

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(Fault("", where, what))


class ConfigError(ValueError):
    """Settings that contradict each other; raised by a Config's own validators. `where` is the one to mend."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(what)
        self.where = where
