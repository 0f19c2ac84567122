"""What a function runs on: which Python, which processor, and which wheels fit both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PYTHON = re.compile(r"python(3)\.(\d+)")
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
# PEP 600: names that older pips know, and their glibc. The oldest were never given to aarch64.
_NAMED = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = {"x86_64": 5, "aarch64": 17}


@dataclass(frozen=True)
class Target:
    """A Python runtime of Lambda, by its minor version, and an architecture as the template writes it."""

    minor: int
    architecture: str

    def __str__(self) -> str:
        return f"python3.{self.minor} on {self.architecture}"

    @property
    def machine(self) -> str:
        """The processor as Linux and wheels call it."""
        return _MACHINES[self.architecture]

    @property
    def glibc(self) -> int:
        """Its minor version: AWS Lambda, "Lambda runtimes": python3.12 and later run on Amazon Linux 2023, which has
        2.34; earlier ones on Amazon Linux 2, which has 2.26."""
        return 34 if self.minor >= 12 else 26

    @property
    def platforms(self) -> tuple[str, ...]:
        """Platform tags of wheels that run there, the newest first."""
        tags: list[str] = []
        for minor in range(self.glibc, _OLDEST[self.machine] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _NAMED:
                tags.append(f"{_NAMED[minor]}_{self.machine}")
        return tuple(tags)

    def markers(self, extra: str = "") -> dict[str, str]:
        """The environment of PEP 508. Of a full version only the minor is known; Lambda chooses the rest."""
        version = f"3.{self.minor}"
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "linux",
            "extra": extra,
        }


def target(runtimes: Sequence[Any], architectures: Sequence[Any]) -> Target | str | None:
    """What wheels have to fit; None where no Python runs, and text where that cannot be told."""
    named = [each for each in runtimes if isinstance(each, str)]
    if len(named) != len(runtimes) or len(runtimes) != 1:
        told = (
            f"{len(runtimes)} runtimes" if len(named) == len(runtimes) else "a runtime chosen at deployment"
        )
        return f"{told}, and wheels fit one; write one such as python3.13"
    found = _PYTHON.fullmatch(named[0])
    if found is None:
        return None
    chosen = architectures or ("x86_64",)
    if len(chosen) != 1 or chosen[0] not in _MACHINES:
        return f"architectures {list(chosen)}, and wheels fit one; write {' or '.join(_MACHINES)}"
    return Target(int(found[2]), str(chosen[0]))
