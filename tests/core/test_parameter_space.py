"""Whatever a blueprint's declarations allow renders, holds together and validates.

The strategies are made from the declarations themselves: a new setting or parameter is drawn without a line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, cast, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import HealthCheck, Phase, assume, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from blueprints.catalogue import entries
from blueprints.checks.cache import Cache
from blueprints.checks.finding import Source
from blueprints.checks.template import load
from blueprints.checks.validation import validate
from blueprints.core import Config, Environment
from blueprints.core.parameter import ResolvedParameter
from blueprints.core.render import AnyBlueprint, load_class, render_stack
from blueprints.core.stack_file import EnvironmentFile, StackFile
from blueprints.deep_learning_cluster.instance_types import GPU_TYPES

Data = dict[str, Any]

# Settings whose own validators refuse nearly all text: drawn from what they are about.
OWN_TYPE = "x9.large"
INSTANCE_TYPES = st.one_of(
    st.sampled_from(sorted(GPU_TYPES)),
    st.sampled_from([name for name, row in GPU_TYPES.items() if row.capacity_blocks]),
    st.just(OWN_TYPE),
)
NETWORKS = st.one_of(
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.integers(1, 254).map(lambda number: f"{number}.0.0.0/8"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
    st.just("2001:db8::/32"),
)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "instance_type": INSTANCE_TYPES,
    "other_types": st.lists(INSTANCE_TYPES, max_size=3),
    "cidr": NETWORKS,
}
KEYS = st.sampled_from([OWN_TYPE, "g6.xlarge", "p5.48xlarge"])
OMITTED = object()
LEFT_OUT = st.just(OMITTED)
ONE_LINE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])


# Configs


@cache
def config_of(model: type[Config]) -> st.SearchStrategy[Data]:
    """What a stack file may say under `config`: every setting that must be there, and any of the others."""
    settings_of: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        drawn = BY_NAME[name] if name in BY_NAME else value_of(field.annotation, field.metadata)
        # The tag of a union's arm has to be told, whether it has a default or not.
        told = field.is_required() or is_tag(field)
        settings_of[name] = drawn if told else st.one_of(LEFT_OUT, drawn, drawn, drawn)
    return st.fixed_dictionaries(settings_of).map(
        lambda drawn: {name: value for name, value in drawn.items() if value is not OMITTED}
    )


def is_tag(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def value_of(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    """Any value of a type, within the bounds that stand beside it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return value_of(arguments[0], [*metadata, *arguments[1:]])
    if origin is Literal:
        return st.sampled_from(arguments)
    if annotation is NoneType:
        return st.none()
    if origin is tuple:
        return st.lists(value_of(arguments[0], []), max_size=3)
    if origin is dict:
        return st.dictionaries(KEYS, value_of(arguments[1], []), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return config_of(annotation)
    if arguments:  # a union
        return st.one_of(*(value_of(each, metadata) for each in arguments))
    bounds = [
        each for part in metadata for each in (part.metadata if isinstance(part, FieldInfo) else [part])
    ]
    return scalar_of(cast("object", annotation), bounds)


def limits(bounds: list[Any], kind: type, name: str) -> list[int]:
    """The values of one kind of bound."""
    return [getattr(each, name) for each in bounds if isinstance(each, kind)]


def scalar_of(kind: object, bounds: list[Any]) -> st.SearchStrategy[Any]:
    """A switch, a number or a text."""
    if kind is bool:
        return st.booleans()
    if kind is int:
        low = max(
            (*limits(bounds, Ge, "ge"), *(limit + 1 for limit in limits(bounds, Gt, "gt"))), default=-50
        )
        highs = (*limits(bounds, Le, "le"), *(limit - 1 for limit in limits(bounds, Lt, "lt")))
        return st.integers(low, min(highs, default=low + 50))
    assert kind is str, f"no strategy for {kind}; add one"
    shortest = max(limits(bounds, MinLen, "min_length"), default=0)
    longest = min(limits(bounds, MaxLen, "max_length"), default=300)
    patterns = [str(each.pattern) for each in bounds if getattr(each, "pattern", None)]
    if patterns:
        # `^[a-z]+$` in the length asked for, instead of trying until one is long enough.
        sized = re.sub(r"\]\+\$$", rf"]{{{shortest},{longest}}}$", patterns[0])
        return st.from_regex(re.compile(sized, re.ASCII), fullmatch=True).filter(
            lambda text: text.isprintable()
        )
    return st.text(ONE_LINE, min_size=shortest, max_size=min(longest, shortest + 40))


# Parameters


HEX = r"[0-9a-f]{8}([0-9a-f]{9})?"
BY_TYPE = {
    "AWS::EC2::VPC::Id": f"vpc-{HEX}",
    "AWS::EC2::Subnet::Id": f"subnet-{HEX}",
    "AWS::EC2::SecurityGroup::Id": f"sg-{HEX}",
    "AWS::EC2::Image::Id": f"ami-{HEX}",
    "AWS::EC2::KeyPair::KeyName": r"[ -~]{1,255}",
    "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>": r"(/[A-Za-z0-9_.-]{1,9}){1,4}",
}
SIZES = st.integers(0, 50).map(lambda number: str(2400 * number or 1200))


def parameter_value(parameter: ResolvedParameter) -> st.SearchStrategy[str]:
    """Any value that CloudFormation would take for a parameter."""
    declared = parameter.declared
    if declared.name == "FSxStorageCapacity":  # CloudFormation takes others, the service does not
        return SIZES
    if parameter.allowed:
        return st.sampled_from(parameter.allowed)
    if declared.type == "Number":
        low = declared.minimum or 0
        return st.integers(low, declared.maximum or low + 10_000).map(str)
    pattern = re.compile(declared.pattern or BY_TYPE.get(element(declared.type), r"[ -~]{0,20}"), re.ASCII)
    text = st.from_regex(pattern, fullmatch=True)
    return st.lists(text, min_size=1, max_size=3).map(",".join) if is_list(declared.type) else text


def is_list(kind: str) -> bool:
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def element(kind: str) -> str:
    """The type of a list's elements; that of anything else is its own."""
    return kind.removeprefix("List<").removesuffix(">") if kind.startswith("List<") else kind


def refused_value(parameter: ResolvedParameter) -> st.SearchStrategy[str]:
    """Any text that CloudFormation would refuse for a parameter."""
    declared = parameter.declared
    if declared.type == "Number":
        low, high = declared.minimum, declared.maximum
        below = st.integers(max_value=low - 1).map(str) if low is not None else st.nothing()
        above = st.integers(high + 1).map(str) if high is not None else st.nothing()
        return st.one_of(below, above, st.text().filter(lambda text: not re.fullmatch(r"[+-]?[0-9]+", text)))
    if parameter.allowed:
        return st.text().filter(lambda text: text not in parameter.allowed)
    pattern = re.compile(declared.pattern or BY_TYPE[element(declared.type)], re.ASCII)
    text = st.one_of(st.text(), st.from_regex(pattern, fullmatch=True).map(lambda good: f"{good}\n"))
    if is_list(declared.type):
        return text.filter(lambda text: not all(pattern.fullmatch(each.strip()) for each in text.split(",")))
    if declared.type == "AWS::EC2::KeyPair::KeyName":
        return st.sampled_from(["", "caf\xe9", "two\nlines", "x" * 256])
    if declared.type in BY_TYPE and not declared.pattern:
        return text.filter(lambda text: re.search(r"[^A-Za-z0-9_./-]", text) is not None)
    return text.filter(lambda text: pattern.fullmatch(text) is None)


# Stacks


@dataclass(frozen=True)
class Drawn:
    """A stack as it might be, with the values of all its parameters."""

    stack: StackFile
    blueprint: AnyBlueprint
    template: Data

    def __repr__(self) -> str:
        stack = self.stack
        return f"{stack.blueprint} {stack.config} {stack.parameters} {stack.environment.environment!r}"


@st.composite
def stacks(draw: st.DrawFn, spec: str) -> Drawn:
    """Any stack of a blueprint, in any environment."""
    kind = load_class(spec)
    config = draw(config_of(kind.config_type()))
    environment = draw(config_of(Environment))
    shape = valid(kind.config_type(), config)
    blueprint = kind(shape, valid(Environment, environment))
    template = blueprint.template()
    values: dict[str, str] = {}
    for each in blueprint.parameters():
        if each.default is None or draw(st.booleans()):
            values[each.name] = draw(parameter_value(each), label=each.name)
    defaults = {each.name: each.default for each in blueprint.parameters() if each.default is not None}
    assume(not list(blueprint.contradictions(defaults | values)))
    shared = EnvironmentFile("environment.yaml", blueprint.environment)
    tags = dict.fromkeys(blueprint.environment.required_tags, "value")
    stack = StackFile("stack.yaml", "prod", "stack", spec, config, values, tags, shared)
    return Drawn(stack, blueprint, template)


def valid(model: type[Any], values: Data) -> Any:
    """The model, unless its own validators refuse; anything else that is refused is a fault of this file."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        if {detail["type"] for detail in error.errors()} != {"value_error"}:
            raise
    return reject()


SPECS = [entry.blueprint for entry in entries()]
each_blueprint = pytest.mark.parametrize("spec", SPECS)
drawing = st.data()
# Models refuse what contradicts itself, and that is as it should be: two shapes of five of the largest blueprint,
# more among the first and simplest ones.
refusing = [HealthCheck.too_slow, HealthCheck.filter_too_much]
quickly = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=refusing,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # to explain a failure takes minutes
)


# What every template is made of


PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")


def references(value: Any) -> Iterator[str]:
    """The logical ids and parameters that a part of a template refers to."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from references(each)
    if not isinstance(value, dict):
        return
    for key, each in cast("dict[str, Any]", value).items():
        if key == "Ref":
            yield each
        elif key == "Fn::GetAtt":
            yield each[0] if isinstance(each, list) else each.partition(".")[0]
        elif key == "Fn::Sub":
            text, variables = cast("tuple[str, Data]", each if isinstance(each, list) else (each, {}))
            yield from (name.partition(".")[0] for name in PLACEHOLDER.findall(text) if name not in variables)
            yield from references(variables)
        elif key == "DependsOn":
            yield from each if isinstance(each, list) else [each]
        else:
            yield from references(each)


def conditions(value: Any) -> Iterator[str]:
    """The conditions that a part of a template names."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from conditions(each)
    if not isinstance(value, dict):
        return
    for key, each in cast("dict[str, Any]", value).items():
        if key == "Condition" and isinstance(each, str):
            yield each
        elif key == "Fn::If":
            yield each[0]
        yield from conditions(each)


def test_the_walker_sees_every_kind_of_reference() -> None:
    template = {
        "A": {"Ref": "One"},
        "B": [{"Fn::GetAtt": ["Two", "Arn"]}, {"Fn::GetAtt": "Three.Arn"}],
        "C": {"Fn::Sub": "${Four} ${Five.Arn} ${!Not} $Not {Not} ${AWS::Region}"},
        "D": {"Fn::Sub": ["${Six} ${Local}", {"Local": {"Ref": "Seven"}}]},
        "E": {"DependsOn": "Eight"},
        "F": {"DependsOn": ["Nine"], "G": {"Fn::If": ["Chosen", {"Ref": "Ten"}, 1]}},
    }
    found = {"One", "Two", "Three", "Four", "Five", "AWS::Region", "Six", "Seven", "Eight", "Nine", "Ten"}
    assert set(references(template)) == found
    assert set(conditions([template, {"Condition": "Other"}])) == {"Chosen", "Other"}


@each_blueprint
@quickly
@given(drawing)
def test_every_shape_renders_and_holds_together(spec: str, data: st.DataObject) -> None:
    drawn = data.draw(stacks(spec))
    rendered = render_stack(drawn.stack)
    template = drawn.template
    assert load(rendered.template) == template

    named = {
        name
        for section in ("Rules", "Conditions", "Resources", "Outputs")
        for name in references(template.get(section))
    }
    declared = template.get("Parameters", {}).keys()
    own = {name for name in named if not name.startswith("AWS::")}
    assert own <= declared | template["Resources"].keys()
    assert declared <= own, "a parameter that nothing reads"
    assert set(conditions(template)) == template.get("Conditions", {}).keys()

    interface: Data = template.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    listed = [name for group in interface.get("ParameterGroups", []) for name in group["Parameters"]]
    assert sorted(listed) == sorted(declared)
    assert all(output["Description"] for output in template["Outputs"].values())
    assert len(rendered.template.encode()) <= 51_200, (
        "CloudFormation's limit for a body that is sent with the request"
    )


@each_blueprint
@quickly
@given(drawing)
def test_every_shape_renders_to_the_same_bytes_again(spec: str, data: st.DataObject) -> None:
    drawn = data.draw(stacks(spec))
    first = drawn.blueprint.render()
    assert drawn.blueprint.render() == first
    again = type(drawn.blueprint)(drawn.blueprint.config, drawn.blueprint.environment)
    assert again.render() == first
    assert render_stack(drawn.stack).template == first


@each_blueprint
@quickly
@given(drawing)
def test_every_shape_does_what_its_environment_asks(spec: str, data: st.DataObject) -> None:
    drawn = data.draw(stacks(spec))
    environment, template = drawn.blueprint.environment, drawn.template
    resources: dict[str, Data] = template["Resources"]
    roles = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Role"]
    boundary = {"Ref": "PermissionsBoundaryArn"} if environment.permissions_boundary else None
    for role in roles:
        assert role.get("Path", "/") == environment.role_path
        assert role.get("PermissionsBoundary") == boundary
    declared = template.get("Parameters", {}).keys()
    assert ("KmsKeyArn" in declared) == environment.kms_key
    kinds = {each["Type"] for each in resources.values()}
    if environment.network == "existing":
        assert not kinds & {
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::NatGateway",
            "AWS::EC2::InternetGateway",
        }
    elif "AWS::EC2::VPC" in kinds:  # a blueprint that makes no network is always told of one
        assert not declared & {"VpcId", "PublicSubnetId", "PrivateSubnetId"}
    if not environment.proxy:
        assert not declared & {"ProxyUrl", "NoProxy"}


@each_blueprint
@quickly
@given(drawing)
def test_parameters_take_what_they_declare_and_nothing_else(spec: str, data: st.DataObject) -> None:
    drawn = data.draw(stacks(spec))
    parameters = drawn.blueprint.parameters()
    assert {each.name for each in parameters} == drawn.template.get("Parameters", {}).keys()
    for each in parameters:
        value = drawn.stack.parameters.get(each.name, each.default)
        assert value is not None
        assert list(each.faults(value)) == []
    if parameters:
        each = data.draw(st.sampled_from(parameters))
        value = data.draw(refused_value(each))
        assert list(each.faults(value)), f"{each.name} takes {value!r}"


@each_blueprint
def test_every_shape_passes_the_validator(spec: str, tmp_path: Path) -> None:
    found: dict[str, Drawn] = {}

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=refusing,
    )
    @given(stacks(spec))
    def collect(drawn: Drawn) -> None:
        found[f"{len(found)}"] = drawn

    collect()
    assert len(found) > 10
    sources = [Source(name, drawn.blueprint.render()) for name, drawn in found.items()]
    findings = validate(sources, Cache(tmp_path, "validation", pytest.fail))
    told = [
        f"{finding.rule} {finding.where}: {finding.message}\n{found[finding.template.split()[0]]}"
        for finding in findings
    ]
    assert not told, "\n".join(told)
