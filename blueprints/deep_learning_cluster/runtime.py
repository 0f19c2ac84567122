"""What nodes run, packed into text that SSM parameters carry once for both kinds of node.

User data of at most 16,384 bytes twice in a body of at most 51,200 has no room for it. `runtime.json` holds it packed,
since xz and `ast.unparse` may give other bytes elsewhere; `python -m blueprints.deep_learning_cluster.runtime` packs
anew. It is packed without docstrings and comments.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core import BuildError

HERE = Path(__file__).parent
PACKED = HERE / "runtime.json"
_CARE = "agent/care.py"
PART = 4096  # SSM, "Parameter tiers": characters of a standard parameter, which costs nothing

_UNPACK = """\
import pathlib, sys
for text in r'''%s'''.split("\\f"):
    path = pathlib.Path(sys.argv[1], text.partition("\\n")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.partition("\\n")[2])
"""


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
            f"{PACKED.name} is older than what it packs; run python -m blueprints.deep_learning_cluster.runtime"
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


def pack(*, care: bool) -> Runtime:
    """Pack the sources: a program that writes them, by xz, in Python's base85 with , and . for braces."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources() if care or name != _CARE}
    plain = {name: bare(text) if name.endswith(".py") else uncommented(text) for name, text in texts.items()}
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0}]
    program = _UNPACK % "\f".join(f"{name}\n{text}" for name, text in plain.items())
    packed = lzma.compress(program.encode(), check=lzma.CHECK_NONE, filters=filters)
    # SSM reads what stands in double braces as a reference.
    text = base64.b85encode(packed).decode().translate({ord("{"): ",", ord("}"): "."})
    return Runtime(digest(), text, care)


def bare(source: str) -> str:
    """A module without docstrings, comments and what only a type checker reads; what it does is the same."""
    tree = _Bare().visit(ast.parse(source))
    text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return re.sub("^(    )+", lambda indent: " " * (len(indent[0]) // 4), text, flags=re.MULTILINE)


def uncommented(source: str) -> str:
    """A shell script or a unit without the lines that are comments alone."""
    return re.sub(r"^ *#(?!!).*\n", "", source, flags=re.MULTILINE)


class _Bare(ast.NodeTransformer):
    """Takes away docstrings, annotations of functions and of what is in them, and what is imported for them alone."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        future = [
            each for each in node.body if isinstance(each, ast.ImportFrom) and each.module == "__future__"
        ]
        node.body = [each for each in node.body if each not in future]
        return self._undocumented(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        node.names = [each for each in node.names if each.name != "TYPE_CHECKING"]
        return node if node.names else None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if types else self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._undocumented(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        for each in ast.walk(node):
            if isinstance(each, ast.arg):
                each.annotation = None
        node.body = [_plain(each) for each in node.body]
        return self._undocumented(node)

    def _undocumented(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def _plain(statement: ast.stmt) -> ast.stmt:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    return statement


if __name__ == "__main__":
    PACKED.write_text(
        json.dumps([asdict(pack(care=each)) for each in (False, True)], indent=1) + "\n", encoding="utf-8"
    )
