"""Operations: what the API offers. Routes, functions, permissions and the OpenAPI document are made from this list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from awacs import dynamodb as grants
from awacs.aws import Action

from ..blocks import functions

_MODULE = Path(__file__).parent / "functions" / "resource.py"


@dataclass(frozen=True)
class Operation:
    """A method on a path; `name` is the operationId that programs know it by."""

    name: str
    method: str
    path: str


@dataclass(frozen=True)
class Answering:
    """One function, with the operations it answers and the one thing it does in the table: GetFunction, `index.get`."""

    name: str
    handler: str
    action: Action
    operations: tuple[Operation, ...]


FUNCTIONS = (
    Answering("Get", "get", grants.GetItem, (Operation("get", "GET", "/resource/{resourceId}"),)),
    Answering("Put", "put", grants.PutItem, (Operation("put", "PUT", "/resource/{resourceId}"),)),
    Answering(
        "Delete", "delete", grants.DeleteItem, (Operation("delete", "DELETE", "/resource/{resourceId}"),)
    ),
    Answering(
        "List",
        "listing",
        grants.Scan,
        (Operation("list", "GET", "/resource"), Operation("describe", "GET", "/openapi.json")),
    ),
)
OPERATIONS = tuple(operation for each in FUNCTIONS for operation in each.operations)


def code(handler: str) -> str:
    """The module of the functions, without the definitions that a handler does not reach.

    What is left stands as it was reviewed. Whole, four times over, it would be more than a template can hold.
    """
    source = functions.inline_code(_MODULE)
    lines, statements = source.splitlines(keepends=True), ast.parse(source).body
    bound = {name: each for each in statements for name in _bound(each)}
    reached, open_names = {statements[0]}, [handler]  # the first one is what the module says of itself
    while open_names:
        statement = bound.get(open_names.pop())
        if statement is not None and statement not in reached:
            reached.add(statement)
            open_names += [each.id for each in ast.walk(statement) if isinstance(each, ast.Name)]
    ends = [0, *(each.end_lineno or 0 for each in statements)]
    kept = [
        lines[begin:end]
        for each, (begin, end) in zip(statements, pairwise(ends), strict=True)
        if each in reached
    ]
    return "".join(line for part in kept for line in part)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module gives a meaning."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        yield from (each.id for each in statement.targets if isinstance(each, ast.Name))
