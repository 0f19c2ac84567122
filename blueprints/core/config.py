"""Config: the choices that shape a template, fixed when it is rendered."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .errors import Fault


class Config(BaseModel):
    """Base of every blueprint's choices: immutable, and a key it does not know is an error.

    The text under a field is its description in `blueprints show`, in the README and in error messages.
    """

    # Built at first use: a nested model is built within its parent, and never by itself.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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
    where = [root, *_keys(detail, values), _discriminator(detail), getattr(_own_error(detail), "where", "")]
    return Fault(file, ".".join(part for part in where if part), _sentence(model, detail))


def _own_error(detail: ErrorDetails) -> object:
    """What one of our own validators raised, if this is one of theirs."""
    return detail.get("ctx", {}).get("error")


def _discriminator(detail: ErrorDetails) -> str:
    """The key whose value was to choose the arm of a union, if that is what is wrong."""
    return str(detail.get("ctx", {}).get("discriminator", "")).strip("'")


def _keys(detail: ErrorDetails, values: object) -> Iterator[str]:
    """The path as it stands in the file: pydantic also names the arm of a union, which is no key there."""
    loc = detail["loc"]
    for position, part in enumerate(loc):
        missing = detail["type"] == "missing" and position == len(loc) - 1
        if isinstance(values, Mapping):
            entries = cast("Mapping[object, object]", values)
            if part not in entries and not missing:
                continue
            values = entries.get(part)
        elif isinstance(values, Sequence) and isinstance(part, int):
            values = cast("Sequence[object]", values)[part]
        yield str(part)


def _sentence(model: type[Config], detail: ErrorDetails) -> str:
    kind, got = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        owner = _models_at(model, detail["loc"][:-1])[0]
        return f"unknown setting; {owner.__name__} has {', '.join(sorted(owner.model_fields)) or 'none'}"
    if kind == "missing":
        return f"missing; set it here{_described(model, detail)}"
    if kind == "union_tag_not_found":
        key = _discriminator(detail)
        arms = _models_at(model, detail["loc"])
        tags = [str(tag) for arm in arms for tag in get_args(arm.model_fields[key].annotation)]
        return f"missing; write one of {', '.join(tags)}"
    if kind == "value_error":  # raised by our own validators, which say what to write
        return str(_own_error(detail))
    if kind == "union_tag_invalid":
        context = detail.get("ctx", {})
        return f"got {short(context['tag'])}; write one of {context['expected_tags'].replace(chr(39), '')}"
    if kind == "string_pattern_mismatch":
        return f"got {short(got)}; write {_expectation(detail)}{_described(model, detail)}"
    return f"got {short(got)}; write {_expectation(detail)}"


def _described(model: type[Config], detail: ErrorDetails) -> str:
    """A setting's own docstring, in brackets."""
    *path, name = detail["loc"]
    text = descriptions(_models_at(model, tuple(path))[0]).get(str(name))
    return f" ({text})" if text else ""


def descriptions(model: type[Config]) -> dict[str, str]:
    """Field -> the text under it. Read from the source when asked for; pydantic would do it at every import."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, Config):
            found |= _texts_under_fields(owner)
    return found


def _texts_under_fields(model: type[Config]) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


# What to write instead, by the type of pydantic's error; its own words tell a programmer what came in.
_EXPECTATIONS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "settings, one `name: value` a line",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number less than {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "model_attributes_type": "settings, one `name: value` a line",
    "model_type": "settings, one `name: value` a line",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of {min_length} or more characters",
    "string_type": "text; numbers and dates need quotes to be text",
    "tuple_type": "a list, one `- item` a line",
}


def _expectation(detail: ErrorDetails) -> str:
    known = _EXPECTATIONS.get(detail["type"])
    if known is not None:
        return known.format(**detail.get("ctx", {}))
    text = detail["msg"].removeprefix("Input should be ")
    return text[0].lower() + text[1:]


def short(value: object) -> str:
    """A value as it reads in a fault."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _models_at(model: type[Config], path: tuple[int | str, ...]) -> list[type[Config]]:
    """The models that may stand where a path leads; in a union, the arm that the path names."""
    candidates = [model]
    for part in path:
        fields = [each.model_fields[part] for each in candidates if part in each.model_fields]
        if fields:
            candidates = [found for field in fields for found in models_in(field.annotation)] or candidates
        else:
            candidates = [each for each in candidates if part in _tags(each)] or candidates
    return candidates


def models_in(annotation: object) -> Iterator[type[Config]]:
    """The Config classes in a field's type: several in a union, none in a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def _tags(model: type[Config]) -> set[object]:
    """The values of a union arm's discriminator, such as `efs` in `kind: Literal["efs"]`."""
    return {value for field in model.model_fields.values() for value in get_args(field.annotation)}
