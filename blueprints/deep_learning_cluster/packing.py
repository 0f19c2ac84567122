"""Packs what nodes run into `runtime.json`: `python -m blueprints.deep_learning_cluster.packing`, after every change.

It is packed without docstrings and comments.
"""

from __future__ import annotations

import ast
import base64
import json
import lzma
import re
from dataclasses import asdict

from .runtime import CARE, PACKED, Runtime, digest, sources

_UNPACK = """\
import pathlib, sys
for text in r'''%s'''.split("\\f"):
    path = pathlib.Path(sys.argv[1], text.partition("\\n")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.partition("\\n")[2])
"""


def pack(*, care: bool) -> Runtime:
    """Pack the sources: a program that writes them, by xz, in Python's base85 with , and . for braces."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources() if care or name != CARE}
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
