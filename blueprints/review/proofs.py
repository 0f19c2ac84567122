"""The executed proofs of a blueprint, read from their tests without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("tests") / "proofs"


def scenarios(folder: Path) -> Iterator[tuple[str, str]]:
    """Module and name of every test of a proof, in their order."""
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.stem, node.name


def in_words(name: str) -> str:
    """`test_a_good_token_lets_in` as a sentence would have it."""
    return name.removeprefix("test_").replace("_", " ")
