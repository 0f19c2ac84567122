"""A `requirements.txt` beside a handler, read strictly: exact versions with hashes, and nothing that needs a build.

Markers are judged here, for the platform of the function: pip judges them for the machine that packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import BlueprintError, Fault

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from .target import Target

NAME = "requirements.txt"
EXTRA = "compute-blueprints[package]"

_COMPILE = "compile the file with `pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"
# Options that say where wheels are found; each other one would build, edit, or read a second file.
_OPTIONS = (
    "-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host", "--prefer-binary",
    "--pre", "--require-hashes", "--only-binary",
)  # fmt: skip
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"--hash[= ](\w+):([0-9a-f]+)(?=\s|$)")


@dataclass(frozen=True)
class Pinned:
    """A requirement that holds on some platform: its line in the file, and hashes by algorithm, in hex."""

    line: int
    requirement: Requirement
    hashes: frozenset[tuple[str, str]]

    @property
    def text(self) -> str:
        """The requirement as pip reads it, without its marker."""
        hashes = "".join(f" --hash={kind}:{digest}" for kind, digest in sorted(self.hashes))
        extras = f"[{','.join(sorted(self.requirement.extras))}]" if self.requirement.extras else ""
        source = f" @ {self.requirement.url}" if self.requirement.url else str(self.requirement.specifier)
        return f"{self.requirement.name}{extras}{source}{hashes}"


@dataclass(frozen=True)
class Requirements:
    """The file: where it is, its options, and what of it holds on one platform."""

    path: Path
    options: tuple[str, ...]
    pinned: tuple[Pinned, ...]

    @property
    def text(self) -> str:
        """What pip reads of it."""
        return "".join(f"{each}\n" for each in (*self.options, *(each.text for each in self.pinned)))

    def fault(self, line: int, what: str) -> Fault:
        """Something to mend in one of its lines, or in the whole of it where `line` is 0."""
        return Fault(str(self.path), f"line {line}" if line else "", what)


def read(path: Path, target: Target) -> Requirements:
    """The requirements that hold on `target`. Raises BlueprintError with every fault of the file."""
    if find_spec("packaging") is None:
        raise BlueprintError(Fault(str(path), "", f"cannot be read without packaging; install {EXTRA}"))
    options: list[str] = []
    found: list[Pinned | str] = []
    faults: list[Fault] = []
    for line, text in _lines(path.read_text("utf-8", "replace")):
        if text.startswith("-"):
            options.append(text)
            refused = _refused_option(text)
        else:
            found.append(_pinned(line, text))
            refused = found[-1] if isinstance(found[-1], str) else ""
        if refused:
            faults.append(Fault(str(path), f"line {line}", refused))
    if faults:
        raise BlueprintError(faults)
    pinned = [each for each in found if isinstance(each, Pinned) and _holds(each, target)]
    return Requirements(path, tuple(options), tuple(pinned))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first: continued by a backslash, without comments, none empty."""
    first, parts = 0, list[str]()
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = _COMMENT.sub("", raw)
        first = first or number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            joined = " ".join(filter(None, parts))
            if joined:
                yield first, joined
            first, parts = 0, []


def _refused_option(text: str) -> str:
    name = re.split(r"[= ]", text)[0]
    if name in _OPTIONS:
        return ""
    return f"{name} is not for a locked file; {_COMPILE}, so that it lists all that is installed"


def _pinned(line: int, text: str) -> Pinned | str:
    """The requirement, or what is wrong with it."""
    from packaging.requirements import InvalidRequirement, Requirement

    hashes = frozenset((kind, digest) for kind, digest in _HASH.findall(text))
    bare = re.split(r"\s--", text)[0].strip()
    try:
        requirement = Requirement(bare)
    except InvalidRequirement:
        return f"got {bare[:60]!r}, which names no distribution; {_COMPILE}"
    pins = [
        each for each in requirement.specifier if each.operator in ("==", "===") and "*" not in each.version
    ]
    if not requirement.url and not (len(requirement.specifier) == len(pins) == 1):
        return f"{bare[:60]!r} is not one exact version; {_COMPILE}"
    if not hashes:
        return f"{bare[:60]!r} has no hash; {_COMPILE}"
    return Pinned(line, requirement, hashes)


def _holds(pinned: Pinned, target: Target) -> bool:
    marker = pinned.requirement.marker
    return marker is None or marker.evaluate(target.markers())


def incomplete(
    requirements: Requirements, needs: Sequence[tuple[str, Sequence[str]]], target: Target
) -> Iterator[Fault]:
    """Dependencies of dependencies that the file leaves out. `needs` are names and their `Requires-Dist` lines."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    known = {canonicalize_name(name): [Requirement(each) for each in lines] for name, lines in needs}
    lines = {canonicalize_name(each.requirement.name): each.line for each in requirements.pinned}
    waiting = [(canonicalize_name(each.requirement.name), frozenset(each.requirement.extras))
               for each in requirements.pinned]  # fmt: skip
    seen = set(waiting)
    for name, extras in waiting:
        for need in known.get(name, ()):
            if need.marker and not any(
                need.marker.evaluate(target.markers(extra)) for extra in (*sorted(extras), "")
            ):
                continue
            wanted = canonicalize_name(need.name)
            if wanted not in known:
                what = f"{name} needs {need.name} on {target}, which the file does not list; {_COMPILE}"
                yield requirements.fault(lines[name], what)
            elif (wanted, frozenset(need.extras)) not in seen:
                seen.add((wanted, frozenset(need.extras)))
                waiting.append((wanted, frozenset(need.extras)))
