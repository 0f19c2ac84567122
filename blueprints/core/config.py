"""Config: the choices that shape a template, fixed when it is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .errors import Fault


class Config(BaseModel):
    """Base of every blueprint's choices: immutable, and a key it does not know is an error.

    The docstring under a field is its description in `blueprints show` and in the README.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


C = TypeVar("C", bound=Config)


def parse(model: type[C], values: Mapping[str, Any], file: str, root: str) -> C | list[Fault]:
    """`values` as an instance of `model`, or every fault in them, each placed below `root`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        return [_fault(model, detail, values, file, root) for detail in error.errors(include_url=False)]


def _fault(
    model: type[Config], detail: ErrorDetails, values: Mapping[str, Any], file: str, root: str
) -> Fault:
    where = [root, *_keys(detail["loc"], values), getattr(_own_error(detail), "where", "")]
    return Fault(file, ".".join(part for part in where if part), _sentence(model, detail))


def _own_error(detail: ErrorDetails) -> object:
    """What one of our own validators raised, if this is one of theirs."""
    return detail.get("ctx", {}).get("error")


def _keys(loc: tuple[int | str, ...], values: object) -> Iterator[str]:
    """The path as it stands in the file: pydantic also names the arm of a union, which is no key there."""
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(values, Mapping):
            entries = cast("Mapping[object, object]", values)
            if part not in entries and not last:
                continue
            values = entries.get(part)
        elif isinstance(values, Sequence) and isinstance(part, int):
            values = cast("Sequence[object]", values)[part]
        yield str(part)


def _sentence(model: type[Config], detail: ErrorDetails) -> str:
    kind, got = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        owner = _owner(model, detail["loc"][:-1])
        return f"unknown setting; {owner.__name__} has {', '.join(sorted(owner.model_fields))}"
    if kind in ("missing", "union_tag_not_found"):
        return f"missing; {_wanted(model, detail)}"
    if kind == "value_error":  # raised by our own validators, which say what to write
        return str(_own_error(detail))
    return f"got {_short(got)}; write {_expectation(detail)}"


def _wanted(model: type[Config], detail: ErrorDetails) -> str:
    owner = _owner(model, detail["loc"][:-1])
    name = str(detail["loc"][-1])
    field = owner.model_fields.get(name)
    return f"set it here ({field.description})" if field and field.description else "set it here"


def _expectation(detail: ErrorDetails) -> str:
    if detail["type"] == "union_tag_invalid":
        return "one of " + detail.get("ctx", {}).get("expected_tags", "")
    text = detail["msg"]
    for opening in ("Input should be ", "Value should be "):
        text = text.removeprefix(opening)
    return text[0].lower() + text[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _owner(model: type[Config], path: tuple[int | str, ...]) -> type[Config]:
    """The model whose setting a path names; in a union, the arm that the path names."""
    candidates = [model]
    for part in path:
        fields = [each.model_fields[part] for each in candidates if part in each.model_fields]
        if fields:
            candidates = [found for field in fields for found in _models(field.annotation)] or candidates
        else:
            candidates = [each for each in candidates if part in _tags(each)] or candidates
    return candidates[0]


def _models(annotation: object) -> Iterator[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _tags(model: type[Config]) -> set[object]:
    """The values of a union arm's discriminator, such as `efs` in `kind: Literal["efs"]`."""
    return {value for field in model.model_fields.values() for value in get_args(field.annotation)}
