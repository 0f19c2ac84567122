"""Event patterns, as EventBridge and Lambda's event filters match them.

moto's matcher (5.2.5) takes true for 1, does not look into arrays of objects, and is silent about operators that it
does not know, so this is our own. Source: EventBridge User Guide, "Comparison operators for use in event patterns"
and "Amazon EventBridge event patterns"; Lambda Developer Guide, "Filter rule syntax".
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

Pattern = Mapping[str, Any]

_MISSING = object()
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event, or what stands at some place in one, is as the pattern says.

    Raises ValueError for a pattern that is none.
    """
    if isinstance(event, list):
        # Fields that a pattern names together have to stand in one element.
        return any(matches(pattern, each) for each in cast("list[Any]", event) or [{}])
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", event) if isinstance(event, Mapping) else {}
    return all(_field(name, wanted, fields) for name, wanted in pattern.items())


def check(pattern: Any, place: str = "") -> None:
    """Raise ValueError, with the place, for what is no pattern or has an operator that is not known here."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise ValueError(f"{place or 'pattern'}: not an object with fields")
    for name, wanted in cast("Pattern", pattern).items():
        where = f"{place}.{name}" if place else name
        if isinstance(wanted, Mapping):
            check(wanted, where)
        elif not isinstance(wanted, list) or not wanted:
            raise ValueError(f"{where}: neither an object nor an array with values")
        elif name == "$or" and all(isinstance(each, Mapping) for each in cast("list[Any]", wanted)):
            for each in cast("list[Any]", wanted):
                check(each, where)
        else:
            for rule in cast("list[Any]", wanted):
                try:
                    _holds(rule, "")
                except (ValueError, TypeError, AttributeError, KeyError) as error:
                    raise ValueError(f"{where}: {rule!r} is no rule: {error}") from error


def _field(name: str, wanted: Any, fields: Mapping[str, Any]) -> bool:
    if name == "$or" and all(isinstance(each, Mapping) for each in wanted):
        return any(matches(each, fields) for each in wanted)
    value = fields.get(name, _MISSING)
    if isinstance(wanted, Mapping):
        return matches(cast("Pattern", wanted), value)
    leaves = list(_leaves(value))
    return any(_rule(rule, leaves) for rule in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    """What an operator looks at: a plain value, or each of an array. Objects have fields and no value."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _leaves(each)
    elif value is not _MISSING and not isinstance(value, Mapping):
        yield value


def _rule(rule: Any, leaves: list[Any]) -> bool:
    if isinstance(rule, Mapping) and "exists" in rule:
        return bool(leaves) == cast("Mapping[str, Any]", rule)["exists"]
    return any(_holds(rule, each) for each in leaves)


def _holds(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        if isinstance(rule, list):
            raise ValueError("an array in an array")
        return _equal(rule, value)
    named = cast("Mapping[str, Any]", rule)
    if len(named) != 1:
        raise ValueError("one operator each")
    ((name, argument),) = named.items()
    if name not in _OPERATORS:
        raise ValueError(f"operator {name} is not known here")
    return _OPERATORS[name](argument, value)


def _equal(wanted: Any, value: Any) -> bool:
    """Values of JSON, where 1 is not true; a number is compared as it is written, so 300 is not 300.0."""
    return type(wanted) is type(value) and wanted == value


def _any_of(argument: Any, holds: Callable[[str], bool]) -> bool:
    return any(
        holds(each) for each in (cast("list[str]", argument) if isinstance(argument, list) else [argument])
    )


def _edge(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """`prefix` or `suffix`, each also as {"equals-ignore-case": …}."""

    def holds(argument: Any, value: Any) -> bool:
        if isinstance(argument, Mapping):
            wanted: str = cast("Mapping[str, str]", argument)["equals-ignore-case"].lower()
            return isinstance(value, str) and test(value.lower(), wanted)
        return isinstance(value, str) and _any_of(argument, lambda each: test(value, each))

    return holds


def _ignoring_case(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and _any_of(argument, lambda each: each.lower() == value.lower())


def _wildcard(argument: Any, value: Any) -> bool:
    r"""`*` is any characters; `\*` a star, `\\` a backslash."""

    def expression(text: str) -> str:
        parts: list[str] = re.findall(r"\\[*\\]|.", text, re.DOTALL)
        return "".join(".*" if each == "*" else re.escape(each[-1]) for each in parts)

    return isinstance(value, str) and _any_of(
        argument, lambda each: re.fullmatch(expression(each), value, re.DOTALL) is not None
    )


def _numeric(argument: list[Any], value: Any) -> bool:
    pairs = list(zip(argument[::2], argument[1::2], strict=True))
    tests = [(_COMPARISONS[sign], float(limit)) for sign, limit in pairs]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(test(value, limit) for test, limit in tests)


def _cidr(argument: str, value: Any) -> bool:
    network = ipaddress.ip_network(argument, strict=False)
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return not _holds(argument, value)
    values = cast("list[Any]", argument) if isinstance(argument, list) else [argument]
    return not any(_equal(each, value) for each in values)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _ignoring_case,
    "exists": lambda argument, _: isinstance(
        argument, bool
    ),  # carried out by _rule, which sees what is missing
    "numeric": _numeric,
    "prefix": _edge(str.startswith),
    "suffix": _edge(str.endswith),
    "wildcard": _wildcard,
}
