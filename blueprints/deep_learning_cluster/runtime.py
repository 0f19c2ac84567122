"""What nodes run, packed into text that SSM parameters carry once for both kinds of node.

User data of at most 16,384 bytes twice in a body of at most 51,200 has no room for it. `runtime.json` holds it as
`packing` has packed it, since xz and `ast.unparse` may give other bytes elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core import BuildError

HERE = Path(__file__).parent
PACKED = HERE / "runtime.json"
CARE = "agent/care.py"  # what cares for GPUs
PART = 4096  # SSM, "Parameter tiers": characters of a standard parameter, which costs nothing


@dataclass(frozen=True)
class Runtime:
    """The packed runtime as text, and the SHA-256 of what it was packed from."""

    sources: str
    text: str
    care: bool = False

    @property
    def sha256(self) -> str:
        """Of the text, by which a node knows that it has all of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def parts(self) -> list[str]:
        """The text in pieces that a parameter can hold."""
        return [self.text[start : start + PART] for start in range(0, len(self.text), PART)]


def runtime(*, care: bool = False) -> Runtime:
    """The committed one, with what cares for GPUs or without. Raises BuildError when its sources have changed since."""
    found = next(
        each
        for each in (Runtime(**each) for each in json.loads(PACKED.read_text(encoding="utf-8")))
        if each.care == care
    )
    if found.sources != digest():
        raise BuildError(
            f"{PACKED.name} is older than what it packs; run python -m blueprints.deep_learning_cluster.packing"
        )
    return found


def digest() -> str:
    """SHA-256 over names and contents of all sources."""
    whole = hashlib.sha256()
    for name, path in sources():
        whole.update(f"{name}\0{path.read_text(encoding='utf-8')}\0".encode())
    return whole.hexdigest()


def sources() -> Iterator[tuple[str, Path]]:
    """What is packed: its path below /opt/deeplearning/lib, and the file it comes from."""
    yield "phases.sh", HERE / "bootstrap" / "phases.sh"
    for name in ("check.sh", "scratch.sh"):
        yield name, HERE / "bootstrap" / name
    yield "deeplearning-agent.service", HERE / "agent" / "deeplearning-agent.service"
    for path in sorted((HERE / "agent").glob("*.py")):
        yield f"agent/{path.name}", path
