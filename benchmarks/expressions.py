"""Template values as CDK source: typed where the L1 class has a type, `cdk.Fn` for the intrinsics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

from .assembly import (
    ANY,
    RESOLVABLE,
    STRING,
    Array,
    Assembly,
    Map,
    Named,
    OneOf,
    Primitive,
    Struct,
    Type,
    members,
)
from .cfn_yaml import Json, attribute_pair
from .dialects import Dialect, Pairs

_PSEUDO = {
    "AWS::AccountId": "ACCOUNT_ID",
    "AWS::NoValue": "NO_VALUE",
    "AWS::Partition": "PARTITION",
    "AWS::Region": "REGION",
    "AWS::StackId": "STACK_ID",
    "AWS::StackName": "STACK_NAME",
    "AWS::URLSuffix": "URL_SUFFIX",
}


class NotTypable(Exception):  # noqa: N818 - not an error: the caller has another way to say it
    """The CDK's type cannot hold this value."""


@dataclass(frozen=True)
class Expression:
    """Source of an intrinsic, and what the CDK's function for it returns."""

    text: str
    kind: Literal["string", "list", "resolvable"]


def intrinsic(value: Json) -> tuple[str, Json] | None:
    """Name and argument of an intrinsic function; None for plain data."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, argument),) = value.items()
        if key == "Ref" or key.startswith("Fn::"):
            return key, argument
    return None


class Expressions:
    """Turns values into source of one dialect."""

    def __init__(self, dialect: Dialect, assembly: Assembly) -> None:
        self._dialect = dialect
        self._assembly = assembly
        self._functions: dict[str, Callable[[Json], Expression]] = {
            "Ref": self._ref,
            "Fn::Base64": lambda value: Expression(self._call("Fn.base64", self.string(value)), "string"),
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": lambda value: Expression(self._call("Fn.getAzs", self.string(value)), "list"),
            "Fn::If": self._if,
            "Fn::ImportValue": lambda value: Expression(
                self._call("Fn.importValue", self.string(value)), "string"
            ),
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    # Values

    def raw(self, value: Json) -> str:
        """A value the CDK passes through: keys keep their case, intrinsics are still calls."""
        found = intrinsic(value)
        if found:
            return self._intrinsic(*found).text
        if isinstance(value, dict):
            return self._dialect.mapping([(key, self.raw(each)) for key, each in value.items()])
        if isinstance(value, list):
            return self._list([self.raw(each) for each in value])
        return self._dialect.scalar(value)

    def typed(self, value: Json, type_: Type) -> str:
        """A value in the position of a typed property. Raises NotTypable."""
        found = intrinsic(value)
        if found and ANY not in members(type_):
            return self._as(self._intrinsic(*found), members(type_))
        if isinstance(type_, OneOf):
            return self._first_fit(value, members(type_))
        if isinstance(type_, Primitive):
            return self._primitive(value, type_)
        if isinstance(type_, Array) and isinstance(value, list):
            return self._list([self.typed(each, type_.element) for each in value])
        if isinstance(type_, Map) and isinstance(value, dict):
            return self._dialect.mapping(
                [(key, self.typed(each, type_.element)) for key, each in value.items()]
            )
        if isinstance(type_, Named) and isinstance(value, dict):
            struct = self._assembly.struct(type_.fqn)
            if struct:
                return self._dialect.struct(struct.fqn, self.pairs(value, struct))
        raise NotTypable(f"{_kind(value)} is not a {type_}")

    def pairs(self, value: Mapping[str, Json], struct: Struct) -> Pairs:
        """The fields of a struct from a mapping with CloudFormation's names. Raises NotTypable."""
        missing = {key for key, each in struct.fields.items() if each.required} - {
            key.lower() for key in value
        }
        unknown = [key for key in value if key.lower() not in struct.fields]
        if missing or unknown:
            raise NotTypable(f"{struct.fqn} lacks {sorted(missing)}, does not know {unknown}")
        fields = [(struct.fields[key.lower()], each) for key, each in value.items()]
        return [(field.name, self.typed(each, field.type)) for field, each in fields]

    def string(self, value: Json) -> str:
        """A value in the position of a string."""
        return self.typed(value, STRING)

    def strings(self, value: Json) -> str:
        """A value in the position of a list of strings."""
        return self.typed(value, Array(STRING))

    def _first_fit(self, value: Json, choices: Sequence[Type]) -> str:
        for choice in sorted(choices, key=self._size):
            with suppress(NotTypable):
                source = self.typed(value, choice)
                self._refuse_mistakable(value, choice, choices)
                return source
        raise NotTypable(f"no type of the union holds this {_kind(value)}")

    def _refuse_mistakable(self, value: Json, meant: Type, choices: Sequence[Type]) -> None:
        """The CDK takes the first struct whose required fields are there and drops what that does not know.

        So the SAM event of an HTTP API, which has a path and a method, comes out as that of a REST API.
        """
        if not isinstance(value, dict):
            return
        given = {key.lower() for key in value}
        for name in (each.fqn for each in choices if isinstance(each, Named) and each != meant):
            other = self._assembly.struct(name)
            required = {key for key, each in other.fields.items() if each.required} if other else set[str]()
            if other and required and required <= given and not given <= other.fields.keys():
                raise NotTypable(f"the CDK takes it for {name}")

    def _size(self, type_: Type) -> int:
        """The smallest struct that fits says most exactly what is meant."""
        struct = self._assembly.struct(type_.fqn) if isinstance(type_, Named) else None
        return len(struct.fields) if struct else 0

    def _primitive(self, value: Json, type_: Primitive) -> str:
        if type_.name in ("any", "json"):
            return self.raw(value)
        fits = {
            "string": isinstance(value, str),
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
        }
        if fits.get(type_.name):
            return self._dialect.scalar(cast("str | int | float | bool", value))
        raise NotTypable(f"{_kind(value)} is not a {type_.name}")

    def _as(self, expression: Expression, choices: Sequence[Type]) -> str:
        """An intrinsic in a typed position, through the token that the position wants."""
        text, kind = expression.text, expression.kind
        if kind == "string" and STRING in choices:
            return text
        if kind == "resolvable" and Named(RESOLVABLE) in choices:
            return text
        if STRING in choices and kind == "resolvable":
            return self._call("Token.asString", text)
        if Array(STRING) in choices:
            return text if kind == "list" else self._call("Token.asList", text)
        if Primitive("number") in choices:
            return self._call("Token.asNumber", text)
        if Named(RESOLVABLE) in choices:
            return self._call("Token.asAny", text)
        raise NotTypable(f"no token of the kind {choices}")

    # Intrinsics

    def _intrinsic(self, key: str, argument: Json) -> Expression:
        """Through the CDK's function; the object itself where that function would say it another way."""
        try:
            return self._functions[key](argument)
        except (KeyError, NotTypable):
            inner = self._dialect.mapping([(key, self.raw(argument))])
            return Expression(self._call("Token.asAny", inner), "resolvable")

    def _ref(self, value: Json) -> Expression:
        name = _text(value)
        if name in _PSEUDO:
            return Expression(f"cdk.Aws.{_PSEUDO[name]}", "string")
        return Expression(self._call("Fn.ref", self._dialect.scalar(name)), "string")

    def _get_att(self, value: Json) -> Expression:
        resource, attribute = _items(attribute_pair(value), 2)
        token = self._call("Fn.getAtt", self.string(resource), self.string(attribute))
        return Expression(f"{token}.{self._dialect.name('toString')}()", "string")

    def _sub(self, value: Json) -> Expression:
        if isinstance(value, str):
            return Expression(self._call("Fn.sub", self._dialect.scalar(value)), "string")
        body, variables = _items(value, 2)
        return Expression(
            self._call("Fn.sub", self.string(body), self.typed(variables, Map(STRING))), "string"
        )

    def _join(self, value: Json) -> Expression:
        delimiter, parts = _items(value, 2)
        if isinstance(parts, list) and _cdk_would_merge(parts, delimiter):
            raise NotTypable("the CDK would join some of it already")
        return Expression(self._call("Fn.join", self.string(delimiter), self.strings(parts)), "string")

    def _select(self, value: Json) -> Expression:
        index, choices = _items(value, 2)
        if isinstance(choices, list) and not any(intrinsic(each) for each in choices):
            raise NotTypable("the CDK would select already")
        arguments = self.typed(index, Primitive("number")), self.strings(choices)
        return Expression(self._call("Fn.select", *arguments), "string")

    def _split(self, value: Json) -> Expression:
        delimiter, source = _items(value, 2)
        if isinstance(source, str):
            raise NotTypable("the CDK would split already")
        return Expression(self._call("Fn.split", self.string(delimiter), self.string(source)), "list")

    def _find_in_map(self, value: Json) -> Expression:
        keys = [self.string(each) for each in _items(value, 3)]
        return Expression(self._call("Fn.findInMap", *keys), "string")

    def _if(self, value: Json) -> Expression:
        condition, then, otherwise = _items(value, 3)
        arguments = self.string(condition), self.raw(then), self.raw(otherwise)
        return Expression(self._call("Fn.conditionIf", *arguments), "resolvable")

    # Conditions

    def condition(self, value: Json) -> str:
        """An expression of Conditions or Rules; a named condition is the variable of that name."""
        if not isinstance(value, dict) or len(value) != 1:
            raise NotTypable(f"not a condition: {value}")
        ((key, argument),) = value.items()
        if key == "Condition":
            return _text(argument)
        name = f"Fn.condition{key.removeprefix('Fn::')}"
        if key in ("Fn::And", "Fn::Or", "Fn::Not"):
            return self._call(name, *(self.condition(each) for each in cast("list[Json]", argument)))
        first, second = _items(argument, 2)
        if key == "Fn::Equals":
            return self._call(name, self.raw(first), self.raw(second))
        if key == "Fn::EachMemberIn":
            return self._call(name, self.strings(first), self.strings(second))
        return self._call(name, self.strings(first), self.string(second))  # Contains, EachMemberEquals

    def _call(self, path: str, *arguments: str) -> str:
        owner, _, function = path.partition(".")
        return f"cdk.{owner}.{self._dialect.name(function)}({', '.join(arguments)})"

    def _list(self, items: Sequence[str]) -> str:
        return f"[{', '.join(items)}]"


def _cdk_would_merge(parts: Sequence[Json], delimiter: Json) -> bool:
    """Whether `Fn.join` shortens the list: neighbouring literals, one part alone, a join in a join."""
    literal = [isinstance(each, str) for each in parts]
    neighbours = any(left and right for left, right in pairwise(literal))
    found = [intrinsic(each) for each in parts]
    nested = any(each and each[0] == "Fn::Join" and _items(each[1], 2)[0] == delimiter for each in found)
    return len(parts) < 2 or neighbours or nested


def _items(value: Json, count: int) -> list[Json]:
    if isinstance(value, list) and len(value) == count:
        return value
    raise NotTypable(f"{count} arguments expected, not {value}")


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise NotTypable(f"a name expected, not {value}")


def _kind(value: Json) -> str:
    return type(value).__name__
