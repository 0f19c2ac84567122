"""One template as the source of one function that fills a `cdk.Stack`.

Where a typed property cannot hold the value it is set by `addPropertyOverride`, and where that leaves a class
without a property it requires, the resource is a plain `CfnResource`. Both are counted and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from .assembly import Assembly, Field, Named, Primitive, Resource
from .cfn_yaml import Json, Template
from .dialects import Dialect, Python
from .expressions import Expressions, NotTypable

_OPTIONS = {
    "AWSTemplateFormatVersion": "templateFormatVersion",
    "Description": "description",
    "Metadata": "metadata",
}
_CONSTRUCTS = {"Mappings", "Conditions", "Parameters", "Rules", "Resources", "Outputs"}
_DELETION = {"DeletionPolicy": "deletionPolicy", "UpdateReplacePolicy": "updateReplacePolicy"}
_ATTRIBUTES = {"Type", "Properties", "DependsOn", "Condition", "Metadata", *_DELETION}


@dataclass(frozen=True)
class Fallback:
    """What could not be written in typed form."""

    type: str
    what: str
    why: str


@dataclass
class Report:
    """What the generator did."""

    resources: int = 0
    properties: int = 0
    overrides: list[Fallback] = field(default_factory=list[Fallback])
    untyped: list[Fallback] = field(default_factory=list[Fallback])

    def lines(self) -> Iterator[str]:
        """For a person: the counts, then each fallback."""
        yield (
            f"{self.resources} resources, {len(self.untyped)} of them as CfnResource;"
            f" {self.properties} properties, {len(self.overrides)} of them by an override"
        )
        for each, times in Counter([*self.untyped, *self.overrides]).items():
            yield f"{times} x {each.type} {each.what}: {each.why}"


@dataclass
class Properties:
    """Properties as source, those that no type can hold, and why."""

    typed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    untyped: dict[str, Json] = field(default_factory=dict[str, Json])
    why: dict[str, str] = field(default_factory=dict[str, str])


class StackSource:
    """The statements of one stack, in one dialect."""

    def __init__(
        self, name: str, template: Template, dialect: Dialect, assembly: Assembly, report: Report
    ) -> None:
        unknown = template.keys() - _OPTIONS.keys() - _CONSTRUCTS - {"Transform"}
        if unknown:
            raise SystemExit(f"{name}: the CDK has no construct for {', '.join(sorted(unknown))}")
        self._template = template
        self._dialect = dialect
        self._assembly = assembly
        self._report = report
        self._express = Expressions(dialect, assembly)
        self._ids: set[str] = set()

    def statements(self) -> Iterator[str]:
        """The function's body, in the order in which later ones name earlier ones."""
        yield from self._options()
        for name, value in self._section("Mappings").items():
            yield from self._construct("CfnMapping", name, [("mapping", self._express.raw(value))])
        for name in self._section("Conditions"):
            yield from self._condition(name)
        for name, value in self._section("Parameters").items():
            yield from self._construct("CfnParameter", name, self._parameter(value))
        for name, value in self._section("Rules").items():
            yield from self._construct("CfnRule", name, self._rule(_mapping(value)))
        for name, value in self._section("Resources").items():
            yield from self._resource(name, _mapping(value))
        yield from self._dependencies()
        for name, value in self._section("Outputs").items():
            yield from self._construct("CfnOutput", name, self._output(_mapping(value)))

    def _section(self, name: str) -> Mapping[str, Json]:
        return _mapping(self._template.get(name, {}))

    def _options(self) -> Iterator[str]:
        options = f"stack.{self._dialect.name('templateOptions')}"
        for section, attribute in _OPTIONS.items():
            if section in self._template:
                yield self._assign(options, attribute, self._express.raw(self._template[section]))
        transform = self._template.get("Transform")
        if transform is not None:
            source = self._express.raw(transform)
            yield self._assign(
                options, "transforms", source if isinstance(transform, list) else f"[{source}]"
            )

    def _construct(
        self, kind: str, name: str, pairs: list[tuple[str, str]], *, bind: bool = False
    ) -> Iterator[str]:
        """One construct. A template may use one id in two sections; within a stack of the CDK it may not."""
        fqn = kind if "." in kind else f"aws-cdk-lib.{kind}"
        if name not in self._ids:
            self._ids.add(name)
            yield self._dialect.construct(fqn, name, pairs, name if bind else None)
            return
        other = f"{name}{kind.removeprefix('Cfn')}"
        yield self._dialect.construct(fqn, other, pairs, other)
        yield self._call(other, "overrideLogicalId", self._dialect.scalar(name))

    # Conditions, parameters, rules, outputs

    def _condition(self, name: str) -> Iterator[str]:
        """A condition, after those it names."""
        if name in self._ids:
            return
        expression = self._section("Conditions")[name]
        for needed in _named_conditions(expression):
            yield from self._condition(needed)
        pairs = [("expression", self._express.condition(expression))]
        yield from self._construct("CfnCondition", name, pairs, bind=True)

    def _parameter(self, value: Json) -> list[tuple[str, str]]:
        struct = self._assembly.struct("aws-cdk-lib.CfnParameterProps")
        if struct is None:
            raise SystemExit("this aws-cdk-lib has no CfnParameterProps")
        slots = [(struct.fields[key.lower()], each) for key, each in _mapping(value).items()]
        return [(slot.name, self._parameter_property(each, slot)) for slot, each in slots]

    def _parameter_property(self, value: Json, slot: Field) -> str:
        """A number written as text, or the reverse, goes through a token."""
        try:
            return self._express.typed(value, slot.type)
        except NotTypable:
            kind = (
                "Number"
                if slot.type == Primitive("number")
                else "List"
                if isinstance(value, list)
                else "String"
            )
            return f"cdk.Token.{self._dialect.name(f'as{kind}')}({self._express.raw(value)})"

    def _rule(self, rule: Mapping[str, Json]) -> list[tuple[str, str]]:
        pairs: list[tuple[str, str]] = []
        if "RuleCondition" in rule:
            pairs.append(("ruleCondition", self._express.condition(rule["RuleCondition"])))
        assertions = [self._assertion(_mapping(each)) for each in cast("list[Json]", rule["Assertions"])]
        return [*pairs, ("assertions", f"[{', '.join(assertions)}]")]

    def _assertion(self, value: Mapping[str, Json]) -> str:
        described = self._express.string(value["AssertDescription"])
        pairs = [("assert", self._express.condition(value["Assert"])), ("assertDescription", described)]
        return self._dialect.struct("aws-cdk-lib.CfnRuleAssertion", pairs)

    def _output(self, value: Mapping[str, Json]) -> list[tuple[str, str]]:
        pairs = [("value", self._express.string(value["Value"]))]
        if "Description" in value:
            pairs.append(("description", self._express.string(value["Description"])))
        if "Export" in value:
            pairs.append(("exportName", self._express.string(_mapping(value["Export"])["Name"])))
        if "Condition" in value:
            pairs.append(("condition", str(value["Condition"])))
        return pairs

    # Resources

    def _resource(self, name: str, resource: Mapping[str, Json]) -> Iterator[str]:
        kind = str(resource["Type"])
        properties = _mapping(resource.get("Properties", {}))
        self._report.resources += 1
        self._report.properties += len(properties)
        known = self._assembly.resource(kind)
        found = self._properties(properties, known) if known else Properties()
        if known and _complete(known, found):
            yield from self._construct(known.fqn, name, found.typed, bind=True)
            yield from self._overrides(name, kind, found)
        else:
            why = f"it requires what it cannot hold: {found.why}" if known else "the CDK has no class for it"
            self._report.untyped.append(Fallback(kind, "as a whole", why))
            pairs = [("type", self._dialect.scalar(kind)), ("properties", self._express.raw({**properties}))]
            yield from self._construct("CfnResource", name, pairs, bind=True)
        yield from self._attributes(name, resource)

    def _properties(self, properties: Mapping[str, Json], known: Resource) -> Properties:
        found = Properties()
        for key, value in properties.items():
            slot = known.properties.fields.get(key.lower())
            try:
                if slot is None:
                    raise NotTypable(f"{known.fqn} has no such property")
                found.typed.append((slot.name, self._express.typed(value, slot.type)))
            except NotTypable as refusal:
                found.untyped[key] = value
                found.why[key] = str(refusal)
        return found

    def _overrides(self, name: str, kind: str, found: Properties) -> Iterator[str]:
        for key, value in found.untyped.items():
            self._report.overrides.append(Fallback(kind, key, found.why[key]))
            yield self._call(name, "addPropertyOverride", self._dialect.scalar(key), self._express.raw(value))

    def _attributes(self, name: str, resource: Mapping[str, Json]) -> Iterator[str]:
        options = f"{name}.{self._dialect.name('cfnOptions')}"
        if "Condition" in resource:
            yield self._assign(options, "condition", str(resource["Condition"]))
        for key in sorted(_DELETION.keys() & resource.keys()):
            member = Python().name(str(resource[key])).upper()
            yield self._assign(options, _DELETION[key], f"cdk.CfnDeletionPolicy.{member}")
        for key, value in _mapping(resource.get("Metadata", {})).items():
            yield self._call(name, "addMetadata", self._dialect.scalar(key), self._express.raw(value))
        for key in sorted(resource.keys() - _ATTRIBUTES):
            yield self._policy(name, key, resource)

    def _policy(self, name: str, key: str, resource: Mapping[str, Json]) -> str:
        """CreationPolicy and UpdatePolicy have types; anything else overrides the resource."""
        try:
            source = self._express.typed(resource[key], Named(f"aws-cdk-lib.Cfn{key}"))
        except NotTypable as refusal:
            self._report.overrides.append(Fallback(str(resource["Type"]), key, str(refusal)))
            return self._call(
                name, "addOverride", self._dialect.scalar(key), self._express.raw(resource[key])
            )
        options = f"{name}.{self._dialect.name('cfnOptions')}"
        return self._assign(options, f"{key[0].lower()}{key[1:]}", source)

    def _dependencies(self) -> Iterator[str]:
        for name, value in self._section("Resources").items():
            needed = _mapping(value).get("DependsOn", [])
            for other in needed if isinstance(needed, list) else [needed]:
                yield self._call(name, "addResourceDependency", str(other))

    def _assign(self, target: str, attribute: str, value: str) -> str:
        return self._dialect.statement(f"{target}.{self._dialect.name(attribute)} = {value}")

    def _call(self, target: str, method: str, *arguments: str) -> str:
        return self._dialect.statement(f"{target}.{self._dialect.name(method)}({', '.join(arguments)})")


def _complete(known: Resource, found: Properties) -> bool:
    required = {each.name for each in known.properties.fields.values() if each.required}
    return required <= {name for name, _ in found.typed}


def _mapping(value: Json) -> Mapping[str, Json]:
    if isinstance(value, dict):
        return value
    raise SystemExit(f"a mapping expected, not {value!r}")


def _named_conditions(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Condition"), str):
            yield str(value["Condition"])
        for each in value.values():
            yield from _named_conditions(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named_conditions(each)
