"""The Condition of a statement, compared with what is known of a request.

IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys". Dates,
addresses and binary values depend on when and where a run takes place, so nothing here judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from . import patterns
from .request import NotJudgedError, Request

Compare = Callable[[str, str, Request], bool]
"""Whether the value of a request is what a policy's value says; the policy's comes first."""

SETS = ("ForAllValues:", "ForAnyValue:")


def _equal(wanted: str, given: str, request: Request) -> bool:
    return patterns.filled(wanted, request) == given


def _equal_ignoring_case(wanted: str, given: str, request: Request) -> bool:
    filled = patterns.filled(wanted, request)
    return filled is not None and filled.casefold() == given.casefold()


def _like(wanted: str, given: str, request: Request) -> bool:
    return patterns.matched(wanted, given, request) is not None


def _same_truth(wanted: str, given: str, _: Request) -> bool:
    return wanted.lower() == given.lower()


def _number(holds: Callable[[float, float], bool]) -> Compare:
    def compare(wanted: str, given: str, _: Request) -> bool:
        try:
            return holds(float(given), float(wanted))
        except ValueError:
            return False

    return compare


# Each with whether it is negated: then no value of the policy may be the request's.
_OPERATORS: Mapping[str, tuple[Compare, bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (patterns.like_arn, False),
    "ArnLike": (patterns.like_arn, False),
    "ArnNotEquals": (patterns.like_arn, True),
    "ArnNotLike": (patterns.like_arn, True),
    "Bool": (_same_truth, False),
    "NumericEquals": (_number(lambda given, wanted: given == wanted), False),
    "NumericNotEquals": (_number(lambda given, wanted: given == wanted), True),
    "NumericLessThan": (_number(lambda given, wanted: given < wanted), False),
    "NumericLessThanEquals": (_number(lambda given, wanted: given <= wanted), False),
    "NumericGreaterThan": (_number(lambda given, wanted: given > wanted), False),
    "NumericGreaterThanEquals": (_number(lambda given, wanted: given >= wanted), False),
}


def holds(condition: Mapping[str, Any], request: Request) -> bool:
    """Whether a whole Condition holds. Raises NotJudgedError for a key or an operator that cannot be judged."""
    # All are asked, so that one that cannot be judged is told wherever it stands.
    held = [_test(operator, key, wanted, request) for operator, key, wanted in _tests(condition)]
    return all(held)


def keys(condition: Mapping[str, Any]) -> set[str]:
    """Condition keys that a Condition reads, those of variables among them, in small letters."""
    found: set[str] = set()
    for _, key, wanted in _tests(condition):
        found |= {key.lower()}.union(*(patterns.variables(each) for each in wanted))
    return found


def _tests(condition: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, key and wanted values of each test."""
    for operator, tests in condition.items():
        for key, wanted in cast("Mapping[str, Any]", tests).items():
            listed = cast("list[Any]", wanted if isinstance(wanted, list) else [wanted])
            yield operator, key, [_text(each) for each in listed]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _test(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    given = request.values(key)
    if operator == "Null":
        return bool(given) != (wanted[0].lower() == "true")
    over = next((each for each in SETS if operator.startswith(each)), "")
    name = operator.removeprefix(over)
    if name.removesuffix("IfExists") not in _OPERATORS:
        raise NotJudgedError(f"{operator} on {key}: nobody here judges this operator")
    compare, negated = _OPERATORS[name.removesuffix("IfExists")]
    if not given:
        return name.endswith("IfExists") or (over == "ForAllValues:") or (negated and not over)
    if len(given) > 1 and not over:
        raise NotJudgedError(f"{operator} on {key}: it has several values; say ForAnyValue or ForAllValues")
    each = [any(compare(want, value, request) for want in wanted) != negated for value in given]
    return any(each) if over == "ForAnyValue:" else all(each)
