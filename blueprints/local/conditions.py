"""Conditions of a template: which of them hold for the parameters given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..core import BlueprintError
from .intrinsics import elements, same, text

_FUNCTIONS = ("Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition")

# In rules only: whether texts are among other texts, or all the same. User Guide, "Rule functions".
_OF_LISTS: dict[str, Callable[[list[str], list[str]], bool]] = {
    "Fn::Contains": lambda listed, wanted: set(wanted) <= set(listed),
    "Fn::EachMemberEquals": lambda listed, wanted: set(listed) == set(wanted),
    "Fn::EachMemberIn": lambda listed, allowed: set(listed) <= set(allowed),
}


class Conditions:
    """The section `Conditions`. `value` resolves what is compared, `fault` makes an error of a place.

    Source: User Guide, "Condition functions"; And and Or take two to ten conditions.
    """

    def __init__(
        self,
        declared: Mapping[str, Any],
        value: Callable[[Any, str], Any],
        fault: Callable[[str, str], BlueprintError],
    ) -> None:
        self._declared = declared
        self._value = value
        self._fault = fault
        self._known: dict[str, bool] = {}
        self._open: set[str] = set()

    def holds(self, name: str, where: str) -> bool:
        """Whether the named condition holds; `where` it is asked for is part of the error if there is none."""
        if name in self._known:
            return self._known[name]
        if name not in self._declared:
            known = ", ".join(map(str, self._declared)) or "none"
            raise self._fault(where, f"no condition {name!r}; the template has {known}")
        if name in self._open:
            raise self._fault(f"Conditions.{name}", "refers to itself; break the circle")
        self._open.add(name)
        try:
            self._known[name] = self.evaluate(self._declared[name], f"Conditions.{name}")
        finally:
            self._open.discard(name)
        return self._known[name]

    def evaluate(self, raw: Any, where: str) -> bool:
        """Whether a condition as written holds; one of a rule may use the functions of rules, too."""
        name, argument = _function(raw)
        place = f"{where}.{name}"
        if name == "Condition":
            return self.holds(str(argument), where)
        if name == "Fn::Equals" or name in _OF_LISTS:
            return self._compared(name, argument, place)
        parts = cast("list[Any]", argument) if isinstance(argument, list) else []
        if name == "Fn::Not" and len(parts) == 1:
            return not self.evaluate(parts[0], place)
        if name in ("Fn::And", "Fn::Or") and 2 <= len(parts) <= 10:
            held = [self.evaluate(each, f"{place}.{index}") for index, each in enumerate(parts)]
            return all(held) if name == "Fn::And" else any(held)
        raise self._fault(where, f"got {raw!r}; write one of {', '.join(_FUNCTIONS)} with its arguments")

    def _compared(self, name: str, argument: Any, where: str) -> bool:
        try:
            values = self._value(argument, where)
            return same(values) if name == "Fn::Equals" else _OF_LISTS[name](*_two_lists(values))
        except ValueError as error:
            raise self._fault(where, str(error)) from error


def _two_lists(argument: Any) -> tuple[list[str], list[str]]:
    left, right = elements(argument, 2, "[list, list]")
    return _texts(left), _texts(right)


def _texts(value: Any) -> list[str]:
    return [text(each) for each in (cast("list[Any]", value) if isinstance(value, list) else [value])]


def _function(raw: Any) -> tuple[str, Any]:
    """Name and argument of a condition function; ("", None) for anything else."""
    if isinstance(raw, Mapping) and len(cast("Mapping[str, Any]", raw)) == 1:
        ((name, argument),) = cast("Mapping[str, Any]", raw).items()
        if name in _FUNCTIONS or name in _OF_LISTS:
            return str(name), argument
    return "", None
