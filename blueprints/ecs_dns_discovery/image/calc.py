"""Calculates: `/calc/(2+6)*3` is 24."""

from __future__ import annotations

import ast
from collections.abc import Callable

_LONGEST, _LARGEST = 200, 1e15
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Mod: lambda a, b: a % b,
}


def answer(path: str) -> str:
    """The value of the formula in the path. Raises LookupError for another path, ValueError for what is no formula."""
    _, found, formula = path.partition("/calc/")
    if not found or not formula:
        raise LookupError(path)
    if len(formula) > _LONGEST:
        raise ValueError(f"a formula has at most {_LONGEST} characters")
    try:
        value = _value(ast.parse(formula, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{formula!r} is no formula") from None
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    return f"{value:g}" if value != int(value) else str(int(value))


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _bounded(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _bounded(_BINARY[type(node.op)](_value(node.left), _value(node.right)))
    raise ValueError("a formula has numbers, + - * / % and brackets")


def _bounded(value: float) -> float:
    if abs(value) > _LARGEST:
        raise ValueError(f"a number is at most {_LARGEST:g}")
    return value
