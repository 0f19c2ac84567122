"""Every shape of a blueprint that a pair of choices can make, from its declarations and from nothing else.

Each setting stands for the values that can make a difference: every bool, enum and arm of a union, an optional
absent and present, the ends of a number's range, a list empty and with one element. The variants cover every
pair of them that the Config itself does not refuse. Text stands for the examples that its Field declares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ..core.config import Config, models_in
from ..core.environment import Environment
from ..core.render import AnyBlueprint

Choices = Mapping[str, Any]
_ABSENT = object()


def variants(blueprint: type[AnyBlueprint]) -> list[AnyBlueprint]:
    """Blueprints, one for each variant."""
    factors = _factors(blueprint.config_type(), "")
    factors |= {f"environment.{name}": values for name, values in _factors(Environment, "").items()}
    possible = {name: _possible(blueprint, factors, name) for name in factors}
    return [made for row in _rows(blueprint, possible) if (made := _make(blueprint, row)) is not None]


def _possible(blueprint: type[AnyBlueprint], factors: Mapping[str, list[Any]], name: str) -> list[Any]:
    """The values of one setting that the Config takes in some company."""
    base = dict.fromkeys(factors, 0)
    return [
        value
        for index, value in enumerate(factors[name])
        if _valid(blueprint, factors, base | {name: index})
        or _repaired(blueprint, factors, base | {name: index}, {name}) is not None
    ]


def _rows(blueprint: type[AnyBlueprint], factors: Mapping[str, list[Any]]) -> Iterator[Choices]:
    """Rows that cover every pair that can occur: greedy, each row built around an uncovered pair."""
    names = list(factors)
    open_pairs = {
        (first, i, second, k)
        for first, second in itertools.combinations(names, 2)
        for i in range(len(factors[first]))
        for k in range(len(factors[second]))
    }
    for turn, pair in enumerate(sorted(open_pairs)):
        if pair in open_pairs:
            row = _around(blueprint, factors, pair, open_pairs, turn)
            if row is None:
                open_pairs.discard(pair)  # the Config refuses it in every company
                continue
            open_pairs -= _pairs(names, row)
            yield {name: factors[name][index] for name, index in row.items()}


def _pairs(names: list[str], row: Mapping[str, int]) -> set[tuple[str, int, str, int]]:
    return {(first, row[first], second, row[second]) for first, second in itertools.combinations(names, 2)}


def _around(
    blueprint: type[AnyBlueprint],
    factors: Mapping[str, list[Any]],
    pair: tuple[str, int, str, int],
    open_pairs: set[tuple[str, int, str, int]],
    turn: int,
) -> dict[str, int] | None:
    """A row with this pair; every other factor takes the value that covers most open pairs and is not refused.

    Among equals each turn begins at another value, so that rows differ where pairs leave them free.
    """
    first, i, second, k = pair
    row = dict.fromkeys(factors, 0) | {first: i, second: k}
    if not _valid(blueprint, factors, row):
        repaired = _repaired(blueprint, factors, row, {first, second})
        if repaired is None:
            return None
        row = repaired
    names = list(factors)
    for name in names:
        if name in (first, second):
            continue
        gain = [_gain(names, row, name, index, open_pairs) for index in range(len(factors[name]))]
        ranked = sorted(range(len(gain)), key=lambda index: (-gain[index], (index + turn) % len(gain)))
        row[name] = next(
            (each for each in ranked if _valid(blueprint, factors, row | {name: each})), row[name]
        )
    return row


def _gain(
    names: list[str],
    row: Mapping[str, int],
    name: str,
    index: int,
    open_pairs: set[tuple[str, int, str, int]],
) -> int:
    """How many open pairs a value would cover beside the others of the row."""
    position = names.index(name)
    before = sum((each, row[each], name, index) in open_pairs for each in names[:position])
    return before + sum((name, index, each, row[each]) in open_pairs for each in names[position + 1 :])


def _repaired(
    blueprint: type[AnyBlueprint], factors: Mapping[str, list[Any]], row: dict[str, int], fixed: set[str]
) -> dict[str, int] | None:
    """The row with one or two of the other factors changed so that the Config takes it."""
    free = [name for name in factors if name not in fixed]
    for count in (1, 2):
        for names in itertools.combinations(free, count):
            for values in itertools.product(*(range(len(factors[name])) for name in names)):
                changed = row | dict(zip(names, values, strict=True))
                if _valid(blueprint, factors, changed):
                    return changed
    return None


def _valid(blueprint: type[AnyBlueprint], factors: Mapping[str, list[Any]], row: Mapping[str, int]) -> bool:
    return _make(blueprint, {name: factors[name][index] for name, index in row.items()}) is not None


def _make(blueprint: type[AnyBlueprint], choices: Choices) -> AnyBlueprint | None:
    config: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    for path, value in choices.items():
        if value is not _ABSENT:
            target = environment if path.startswith("environment.") else config
            _put(target, path.removeprefix("environment.").split("."), value)
    try:
        return blueprint(
            blueprint.config_type().model_validate(config), Environment.model_validate(environment)
        )
    except ValidationError:
        return None


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value


def _factors(model: type[BaseModel], path: str) -> dict[str, list[Any]]:
    """Setting -> the values that can make a difference; settings of a plain nested model by their own path."""
    found: dict[str, list[Any]] = {}
    for name, field in model.model_fields.items():
        here = f"{path}{name}"
        nested = list(models_in(field.annotation))
        if len(nested) == 1 and get_origin(field.annotation) is None:
            found |= _factors(nested[0], f"{here}.")
        else:
            found[here] = _values(field, nested)
    return found


def _values(field: FieldInfo, nested: list[type[Config]]) -> list[Any]:
    absent = [] if field.is_required() else [_ABSENT]
    if field.examples:
        return [*absent, *field.examples]
    if nested and get_origin(field.annotation) in (tuple, list):
        return [*absent, [next(_instances(nested[0]))]]
    if nested:
        return [*absent, *(each for arm in nested for each in _instances(arm))]
    return [*absent, *_plain(field)]


def _instances(model: type[Config]) -> Iterator[dict[str, Any]]:
    """A model with its first values, then once more for every other value of one of its settings."""
    factors = _factors(model, "")
    first = {name: values[0] for name, values in factors.items()}
    yield _present(first)
    for name, values in factors.items():
        for value in values[1:]:
            yield _present(first | {name: value})


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their paths as a nested mapping, without those that are left out."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        if value is not _ABSENT:
            _put(found, path.split("."), value)
    return found


def _plain(field: FieldInfo) -> list[Any]:
    annotation = _unwrapped(field.annotation)
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if annotation is bool:
        return [False, True]
    if annotation is int:
        return _ends(field)
    return []


def _unwrapped(annotation: Any) -> Any:
    """The type behind Optional."""
    plain = [each for each in get_args(annotation) if each is not type(None)]
    return plain[0] if type(None) in get_args(annotation) and plain else annotation


def _ends(field: FieldInfo) -> list[int]:
    least = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), None)
    over = next((rule.gt for rule in field.metadata if hasattr(rule, "gt")), None)
    most = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
    first = least if least is not None else over + 1 if over is not None else 0
    return [first, most if most is not None else first + 1000]
