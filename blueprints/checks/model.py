"""A rendered template as checks see it: resolved values, references, source lines.

Built on cloudformation-validate's model, which resolves parameters with defaults, mappings, conditions and
pseudo parameters. What it leaves open (a Sub with a resource in it, an import) stays as the template has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Protocol, TypeVar, cast

from .finding import Source
from .outcomes import has_choices, outcomes
from .template import MOST_RESOURCES, MOST_UNFOLDED, TemplateError, load, unfolded


@dataclass(frozen=True)
class Reference:
    """A value known at deploy: the id or an attribute of a resource, or a parameter without default."""

    target: str


@dataclass(frozen=True)
class Either:
    """One of several values: both arms of Fn::If, or every value that a parameter admits."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Opaque:
    """A function that is evaluated at deploy, as it stands in the template."""

    raw: Any


@dataclass(frozen=True)
class Edge:
    """`source` refers to `target` at `path`, by Ref, GetAtt, Sub or DependsOn."""

    source: str
    path: str
    target: str


class Resource:
    """One resource: `raw` as written, `properties` resolved."""

    def __init__(self, id: str, raw: Mapping[str, Any], properties: Mapping[str, Any]) -> None:  # noqa: A002
        self.id = id
        self.raw = raw
        self.type = str(raw.get("Type", ""))
        self.properties = properties

    def get(self, path: str, default: Any = None) -> Any:
        """The resolved value at a dotted path below Properties; Either is not entered."""
        value: Any = self.properties
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = cast("Mapping[str, Any]", value)[key]
        return value

    def raw_properties(self) -> Mapping[str, Any]:
        """Properties as written; an empty mapping where there are none."""
        found = self.raw.get("Properties")
        return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


class Model:
    """A template. Raises TemplateError for text that is none."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.raw = load(source.text)
        count = len(self.section("Resources"))
        if count > MOST_RESOURCES:
            raise TemplateError(f"{count} resources; CloudFormation takes {MOST_RESOURCES}")
        if unfolded(self.raw) > MOST_UNFOLDED:
            raise TemplateError(
                f"conditions that unfold to over {MOST_UNFOLDED:,} parts; name each fewer times"
            )
        self._engine = _engine_model(source.text)

    @cached_property
    def decided(self) -> list[Model]:
        """The template whichever way its conditions go: itself, or one for each outcome."""
        return self._outcomes(defaults=False) if has_choices(self.raw) else [self]

    @cached_property
    def by_default(self) -> list[Model]:
        """The same, with parameters at their defaults."""
        return self._outcomes(defaults=True) if self.parameters else self.decided

    def _outcomes(self, *, defaults: bool) -> list[Model]:
        try:
            return [_Outcome(self.source, raw) for raw in outcomes(self.raw, defaults=defaults)]
        except RecursionError:  # a chain of conditions that no author has written
            return [self]

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """Every resource, by its logical id."""
        resolved: Mapping[str, Any] = self._engine.resources()
        return {
            name: Resource(name, raw, _resolved_properties(raw, resolved.get(name)))
            for name, raw in self._entries("Resources")
        }

    def _entries(self, section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, raw in self.section(section).items():
            if isinstance(raw, Mapping):
                yield name, cast("Mapping[str, Any]", raw)

    def section(self, name: str) -> dict[str, Any]:
        """One section as written; empty where it is absent or no mapping."""
        found = self.raw.get(name)
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}

    @cached_property
    def parameters(self) -> dict[str, Mapping[str, Any]]:
        """Every parameter as written, by its name."""
        return dict(self._entries("Parameters"))

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types."""
        return [each for each in self.resources.values() if each.type in types]

    def attribute(self, resource: Resource, path: str) -> Iterator[Any]:
        """The values an attribute beside Properties may have: `CreationPolicy.ResourceSignal.Timeout`."""
        values: list[Any] = [resource.raw]
        for key in path.split("."):
            values = [found for value in values for found in self._written(_child(value, key))]
        yield from values

    def _written(self, raw: Any) -> Iterator[Any]:
        """What stands in the template, through Fn::If and parameters."""
        if not isinstance(raw, Mapping):
            yield from () if raw is None else (raw,)
            return
        entries = cast("Mapping[str, Any]", raw)
        if "Fn::If" in entries:
            for index in (1, 2):
                yield from self._written(_arm(entries, index))
        elif "Ref" in entries:
            yield from self._parameter(str(entries["Ref"]))
        else:
            yield Opaque(raw) if any(key.startswith("Fn::") for key in entries) else raw

    def _parameter(self, name: str) -> Iterator[Any]:
        known = self.parameters.get(name, {})
        if "AllowedValues" in known or "Default" in known:
            allowed = known.get("AllowedValues")
            yield from cast("list[Any]", allowed) if isinstance(allowed, list) else [known.get("Default")]
        elif name != "AWS::NoValue":
            yield Reference(name)

    def mapped(self, argument: Any) -> Any:
        """What Fn::FindInMap gives for keys that stand in the template; None where they do not."""
        found: Any = self.section("Mappings")
        for key in cast("list[Any]", argument) if isinstance(argument, list) else [None]:
            found = (
                cast("Mapping[str, Any]", found).get(key)
                if isinstance(found, Mapping) and isinstance(key, str)
                else None
            )
        return found

    @cached_property
    def edges(self) -> list[Edge]:
        """All references between resources."""
        found = self._engine.to_diagnostic_model().edges
        return [Edge(each.source, each.source_path, each.target) for each in found]

    def needs(self, resource: str) -> set[str]:
        """What exists before `resource` does: everything it refers to or depends on, through others too."""
        seen: set[str] = set()
        waiting = [resource]
        while waiting:
            for target in self._targets.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    @cached_property
    def _targets(self) -> dict[str, set[str]]:
        targets: dict[str, set[str]] = {}
        for edge in self.edges:
            targets.setdefault(edge.source, set()).add(edge.target)
        return targets

    def line(self, *path: str) -> int:
        """Line of a path such as ("Resources", "Vpc", "Properties"), or of the deepest part of it that has one."""
        for length in range(len(path), 0, -1):
            found = self._engine.source_location("/".join(path[:length]))
            if found is not None and found.start_line:
                return int(found.start_line)
        return 1


class _Outcome(Model):
    """One of a template's outcomes, read when something of it is asked for."""

    def __init__(self, source: Source, raw: dict[str, Any]) -> None:
        self.source = source
        self.raw = raw

    @cached_property
    def _engine(self) -> Any:
        return _engine_model(json.dumps(self.raw))


class _Placed(Protocol):
    @property
    def path(self) -> tuple[str, ...]: ...


_Found = TypeVar("_Found", bound=_Placed)
Find = Callable[[Model], Iterator[_Found]]


def either_way(find: Find[_Found]) -> Find[_Found]:
    """For a check that misses what is not there, or compares values: it sees the template once for each outcome."""
    return _in_each(find, lambda model: model.decided)


def with_defaults(find: Find[_Found]) -> Find[_Found]:
    """For a check that reads text as written: it sees each outcome with parameters at their defaults."""
    return _in_each(find, lambda model: model.by_default)


def _in_each(find: Find[_Found], of: Callable[[Model], list[Model]]) -> Find[_Found]:
    @wraps(find)
    def found(model: Model) -> Iterator[_Found]:
        told: set[tuple[str, ...]] = set()
        for outcome in of(model):
            new = [each for each in find(outcome) if each.path not in told]
            told.update(each.path for each in new)
            yield from new

    return found


def _engine_model(text: str) -> Any:
    import cloudformation_validate  # half a tenth of a second; only a check pays it

    engine: Any = cloudformation_validate
    try:
        return engine.TemplateModel(engine.TemplateContent(text.removeprefix("\ufeff"), "template"))
    except engine.ValidationError as error:
        raise TemplateError(" ".join(str(error).split())) from error


def _resolved_properties(raw: Mapping[str, Any], resource: Any) -> Mapping[str, Any]:
    written: Any = raw.get("Properties")
    if resource is None or not isinstance(written, Mapping):
        return {}
    entries = cast("Mapping[str, Any]", written)
    return {name: _value(value, entries.get(name)) for name, value in resource.properties.items()}


def _value(value: Any, raw: Any) -> Any:
    """The engine's value as plain data; `raw` is the same place as written, for what is not resolved."""
    if value.is_concrete():
        return _json(value.value)
    if value.is_map():
        return {entry.key: _value(entry.value, _child(raw, entry.key)) for entry in value.entries}
    if value.is_list_value():
        return [_value(each, _child(raw, index)) for index, each in enumerate(value.items)]
    if value.is_reference():
        return Reference(str(value.target))
    if value.is_conditional():
        arms = (_value(value.if_true, _arm(raw, 1)), _value(value.if_false, _arm(raw, 2)))
        return Either(arms)
    if value.is_enum_value():
        return Either(tuple(_value(each, raw) for each in value.variants))
    return Opaque(raw)


def _json(value: Any) -> Any:
    if value.is_object():
        return {key: _json(each) for key, each in value.entries.items()}
    if value.is_array():
        return [_json(each) for each in value.items]
    return None if value.is_null() else value.value


def _child(raw: Any, key: str | int) -> Any:
    try:
        return raw[key]
    except (KeyError, IndexError, TypeError):
        return None


def _arm(raw: Any, index: int) -> Any:
    return _child(_child(raw, "Fn::If"), index)


# Questions that checks ask of values


def alternatives(value: Any) -> Iterator[Any]:
    """The values that a value may turn out to be; AWS::NoValue is none of them."""
    if isinstance(value, Either):
        for each in value.values:
            yield from alternatives(each)
    elif value is not None:
        yield value


def items(value: Any) -> Iterator[Any]:
    """The elements a list may have, whichever way its conditions go."""
    for each in alternatives(value):
        if isinstance(each, list):
            for element in cast("list[Any]", each):
                yield from alternatives(element)
        elif not isinstance(each, (Reference, Opaque)):
            yield each


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value as written, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield from strings(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from strings(each, f"{path}.{index}" if path else str(index))


def substituted(text: str) -> list[str]:
    """Names in the ${} of a Fn::Sub."""
    return re.findall(r"\$\{([^!${}][^${}]*)\}", text)


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A value as written and everything in it, each with its path."""
    yield path, value
    if isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield from nodes(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from nodes(each, f"{path}.{index}" if path else str(index))


def entries(value: Any) -> Mapping[str, Any]:
    """The entries of a mapping; none where a value is something else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def function(value: Any) -> tuple[str, Any]:
    """Name and argument of a function as written, such as ("Fn::Sub", text); ("", None) where there is none."""
    found = entries(value)
    if len(found) == 1:
        ((name, argument),) = found.items()
        if name == "Ref" or str(name).startswith("Fn::"):
            return str(name), argument
    return "", None


def arms(value: Any) -> Iterator[Any]:
    """What a value as written may be, whichever way its conditions go; AWS::NoValue is nothing."""
    name, argument = function(value)
    if name == "Fn::If":
        for each in cast("list[Any]", argument)[1:] if isinstance(argument, list) else []:
            yield from arms(each)
    elif (name, argument) != ("Ref", "AWS::NoValue") and value is not None:
        yield value


def written(value: Any) -> str:
    """A text as written, what is filled in at deploy as ${}: Sub, Join and Ref of the same text read alike."""
    name, argument = function(value)
    if not name:
        return str(value) if isinstance(value, (str, int, float)) else "${}"
    if name == "Fn::Sub":
        return _written_sub(argument)
    if name == "Fn::Join" and isinstance(argument, list):
        return _written_join(cast("list[Any]", argument))
    if name == "Fn::Base64":
        return written(argument)
    if name == "Fn::GetAtt" and isinstance(argument, list):
        return f"${{{'.'.join(map(str, cast('list[Any]', argument)))}}}"
    return f"${{{argument if name in ('Ref', 'Fn::GetAtt') else name}}}"


def _written_sub(argument: Any) -> str:
    if not isinstance(argument, list):
        return str(argument)
    text, given = (*cast("list[Any]", argument), "", None)[:2]
    for name, value in entries(given).items():
        text = str(text).replace(f"${{{name}}}", written(value))
    return str(text)


def _written_join(argument: list[Any]) -> str:
    if len(argument) == 2 and isinstance(argument[1], list):
        return str(argument[0]).join(written(each) for each in cast("list[Any]", argument[1]))
    return "${Fn::Join}"
