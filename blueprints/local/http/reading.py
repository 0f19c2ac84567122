"""Small readings of loosely typed template values: JSON from YAML, in CloudFormation's and OpenAPI's spellings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

Values = Mapping[str, Any]


def mapping(value: object) -> Values:
    """The value if it is a mapping with string keys, else an empty one."""
    return cast("Values", value) if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """The value if it is a list; a list of it if it is anything else but None."""
    if isinstance(value, list | tuple):
        return list(cast("list[Any]", value))
    return [] if value is None else [value]


def texts(value: object) -> tuple[str, ...]:
    """A list of strings."""
    return tuple(str(each) for each in items(value))


def pick(spec: Values, *names: str) -> Any:
    """The first of these keys that is present and not null."""
    return next((spec[name] for name in names if spec.get(name) is not None), None)


def number(value: object) -> float | None:
    """A number that CloudFormation may give as a string; None for None. Raises ValueError."""
    return None if value is None else float(str(value))


def truth(value: object) -> bool:
    """A boolean that CloudFormation may give as a string."""
    return str(value).lower() == "true"


def resources(template: Values, type_name: str) -> Iterator[tuple[str, Values]]:
    """Logical ids and properties of every resource of one type."""
    for logical_id, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") == type_name:
            yield logical_id, mapping(mapping(resource).get("Properties"))
