"""What a template may become on deployment: each Fn::If decided, and parameters at their defaults where asked.

A condition stands on comparisons of parameters and pseudo parameters. An outcome decides all of them, so that
conditions which exclude each other never hold together.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final, cast

# Where there are more, no outcome is certain to be among those taken, but each answer to each comparison is in one.
_ALL = 4
_MOST = 8
NOTHING: Final = {"Ref": "AWS::NoValue"}
_PLAIN = ("String", "Number")
_LISTS = ("CommaDelimitedList", "List<Number>")

# What is compared, as JSON -> the constant that it equals; nothing where it equals none that the template names
Answers = Mapping[str, str | None]


def outcomes(raw: Mapping[str, Any], *, defaults: bool) -> Iterator[dict[str, Any]]:
    """Templates without Fn::If, each without the resources that its conditions leave out.

    With `defaults` a reference to text or a number gives its parameter's default, or what a condition compares it to.
    Where the outcomes are too many to take all, the first is the template as it stands.
    """
    parameters, conditions = _mapping(raw.get("Parameters")), _mapping(raw.get("Conditions"))
    options = _options(conditions, parameters) if has_choices(raw) else {}
    rows = list(_rows(list(options.values())))
    if len(rows) < prod(map(len, options.values())):
        yield dict(raw)
    for row in rows:
        answers = dict(zip(options, row, strict=True))
        deciding = _Deciding(conditions, answers, _values(parameters, answers) if defaults else {})
        yield {
            **raw,
            **{name: deciding.entries(_mapping(raw.get(name))) for name in ("Resources", "Outputs")},
        }


def has_choices(raw: Any) -> bool:
    """Whether there is an Fn::If in a template."""
    if isinstance(raw, Mapping):
        entries = cast("Mapping[str, Any]", raw)
        return "Fn::If" in entries or any(map(has_choices, entries.values()))
    return isinstance(raw, list) and any(map(has_choices, cast("list[Any]", raw)))


def _rows(options: list[list[str | None]]) -> Iterator[tuple[str | None, ...]]:
    if prod(map(len, options)) <= _ALL:
        yield from itertools.product(*options)
    else:
        for turn in range(min(max(map(len, options)), _MOST)):
            yield tuple(each[turn % len(each)] for each in options)


def _options(conditions: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, list[str | None]]:
    """What is compared -> the answers; a parameter of a few allowed values is nothing else."""
    compared: dict[str, dict[str | None, None]] = {}
    for left, right in _comparisons(conditions):
        compared.setdefault(left, {})[right] = None
    found: dict[str, list[str | None]] = {}
    for left, rights in compared.items():
        allowed = _mapping(parameters.get(_parameter(left))).get("AllowedValues")
        values = {str(each) for each in cast("list[Any]", allowed)} if isinstance(allowed, list) else None
        possible = [each for each in rights if values is None or each in values]
        found[left] = (
            possible if possible and values is not None and values <= {*possible} else [*possible, None]
        )
    return found


def _comparisons(value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, Mapping):
        for name, each in cast("Mapping[str, Any]", value).items():
            compared = _compared(each) if name == "Fn::Equals" else None
            if compared:
                yield compared
            else:
                yield from _comparisons(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _comparisons(each)


def _compared(sides: Any) -> tuple[str, str | None] | None:
    """What Fn::Equals compares, with the constant that it is compared to; nothing for two constants."""
    if not isinstance(sides, list) or len(cast("list[Any]", sides)) != 2:
        return None
    open_ended: list[Any] = [each for each in cast("list[Any]", sides) if isinstance(each, Mapping)]
    constants = [str(each) for each in cast("list[Any]", sides) if not isinstance(each, Mapping)]
    if not open_ended:
        return None
    return json.dumps(open_ended, sort_keys=True), constants[0] if constants else "the same"


def _parameter(left: str) -> str:
    """The parameter that is compared, if it is one."""
    found = re.fullmatch(r'\[\{"Ref": "(\w+)"\}\]', left)
    return found[1] if found else ""


def _values(parameters: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """What a reference to each parameter gives; none of several allowed values, and nothing that is to be hidden."""
    told = {_parameter(left): right for left, right in answers.items()}
    found: dict[str, Any] = {}
    for name, parameter in parameters.items():
        declared = _mapping(parameter)
        value = told.get(name) if name in told else declared.get("Default")
        if value is None or "AllowedValues" in declared or str(declared.get("NoEcho")).lower() == "true":
            continue
        if declared.get("Type") in _PLAIN:
            found[name] = value
        elif declared.get("Type") in _LISTS:
            found[name] = [each.strip() for each in str(value).split(",")]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


class _Deciding:
    """Reads a template under one set of answers."""

    def __init__(self, conditions: Mapping[str, Any], answers: Answers, values: Mapping[str, Any]) -> None:
        self._conditions = conditions
        self._answers = answers
        self._values = values
        self._known: dict[str, bool] = {}

    def entries(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """What is left of a section."""
        return {
            name: self._decided(each)
            for name, each in section.items()
            if not self._answers or self._named(_mapping(each).get("Condition"), True)
        }

    def _named(self, name: Any, otherwise: bool) -> bool:
        """Whether a condition holds; `otherwise` is the answer for what is none."""
        if not isinstance(name, str) or name not in self._conditions:
            return otherwise
        if name not in self._known:
            self._known[name] = False  # should it depend on itself
            self._known[name] = self._holds(self._conditions[name])
        return self._known[name]

    def _holds(self, condition: Any) -> bool:
        (name, argument), *_ = [*_mapping(condition).items(), ("", None)]
        parts: list[Any] = cast("list[Any]", argument) if isinstance(argument, list) else [argument]
        match name:
            case "Condition":
                return self._named(argument, False)
            case "Fn::Not":
                return not any(map(self._holds, parts))
            case "Fn::And":
                return all(map(self._holds, parts))
            case "Fn::Or":
                return any(map(self._holds, parts))
            case "Fn::Equals":
                compared = _compared(parts)
                return self._answers[compared[0]] == compared[1] if compared else len({*map(str, parts)}) == 1
            case _:
                return False

    def _decided(self, value: Any) -> Any:
        if isinstance(value, list):
            found = map(self._decided, cast("list[Any]", value))
            return [each for each in found if each != NOTHING]
        if not isinstance(value, Mapping):
            return value
        entries = cast("Mapping[str, Any]", value)
        if len(entries) == 1:
            ((name, argument),) = entries.items()
            if name == "Fn::If" and isinstance(argument, list) and len(cast("list[Any]", argument)) == 3:
                condition, first, second = cast("list[Any]", argument)
                return self._decided(first if self._named(condition, False) else second)
            if name == "Ref" and isinstance(argument, str):
                return self._values.get(argument, value)
            if name == "Fn::Sub" and isinstance(argument, str):
                return {name: self._filled(argument, ())}
            if name == "Fn::Sub" and isinstance(argument, list) and len(cast("list[Any]", argument)) == 2:
                text, given = cast("list[Any]", argument)
                return {name: [self._filled(text, tuple(_mapping(given))), self._decided(given)]}
        decided = {name: self._decided(each) for name, each in entries.items()}
        return {name: each for name, each in decided.items() if each != NOTHING}

    def _filled(self, text: Any, own: tuple[str, ...]) -> Any:
        """The text of Fn::Sub with the values of parameters in it; `own` are names that the function is given."""

        def value(match: re.Match[str]) -> str:
            known = self._values.get(match[1])
            return match[0] if match[1] in own or known is None or "${" in str(known) else str(known)

        if not isinstance(text, str) or not self._values:
            return text
        return re.sub(r"\$\{(\w+)\}", value, text)
