"""Rules of a template: what parameter values have to fulfil together, checked before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..core import BlueprintError, Fault
from .resolver import Resolver


def check_rules(resolver: Resolver) -> None:
    """Raise BlueprintError with every assertion that the parameters given do not fulfil."""
    rules = resolver.section("Rules")
    faults = [fault for name, rule in rules.items() for fault in _broken(resolver, name, rule)]
    if faults:
        raise BlueprintError(faults)


def _broken(resolver: Resolver, name: str, rule: Mapping[str, Any]) -> Iterator[Fault]:
    where = f"Rules.{name}"
    applies = rule.get("RuleCondition")
    if applies is not None and not resolver.conditions.evaluate(applies, f"{where}.RuleCondition"):
        return
    for index, each in enumerate(cast("list[Mapping[str, Any]]", rule.get("Assertions") or [])):
        place = f"{where}.Assertions.{index}"
        if not resolver.conditions.evaluate(each.get("Assert"), f"{place}.Assert"):
            words = each.get("AssertDescription") or "the parameters given do not fulfil it"
            yield Fault(resolver.file, place, f"{words}; give other values")
