"""What a mutator is: it plants the defect of one check in one of our templates, place by place, form by form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

Template = dict[str, Any]

NAME = "Planted"
NO_VALUE = {"Ref": "AWS::NoValue"}
# Of the region, so that a checker which knows nothing of a deployment has to reckon with both outcomes.
CONDITION = {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
LONGEST_DEFAULT = 4_096  # bytes of a parameter's value: CloudFormation User Guide, "Quotas"

# Why a form cannot be planted
GONE: Final = "what is not there has no value that a parameter could have"
STRUCTURE: Final = "a parameter's default is text or a number, and this is a structure or a function"
DEPENDS_ON: Final = "DependsOn names logical ids and takes no functions"
ATTRIBUTE: Final = "an attribute of the resource: no functions without a further transform"
CREATION: Final = "Fn::If may stand in properties and in UpdatePolicy, and not around a CreationPolicy"
SECTION: Final = "Parameters and the words of Outputs take no functions"
SCRIPT: Final = "our boot script is longer than the 4,096 bytes of a parameter"


class Absent:
    """Nothing at all, in place of a value."""


ABSENT: Final = Absent()


@dataclass(frozen=True)
class Plant:
    """One defect: `bad` at the path `at` of a template, which the check is silent about until then.

    `finds` is the place that the check has to name, and `declared` the parameter that `bad` may be the default
    of, where it is none of type String or Number.
    """

    template: Template
    at: str
    bad: Any
    finds: str
    declared: Mapping[str, str] | None = None


Plants = Callable[[Template], Iterator[Plant]]


@dataclass(frozen=True)
class Mutator:
    """All places of a template where the defect of one check can be planted in one way."""

    check: str
    plants: Plants
    no_if: str
    no_parameter: str

    @property
    def name(self) -> str:
        """What is planted, in words of its function."""
        return f"{self.check} {self.plants.__name__}"

    def forms(self, plant: Plant) -> Iterator[tuple[str, Template]]:
        """The defect as it is, in either arm of an Fn::If, and as the default of a parameter."""
        yield "as it is", put(plant.template, plant.at, plant.bad)
        if not self.no_if:
            bad, good = _arm(plant.bad), _arm(get(plant.template, plant.at))
            template = put(plant.template, f"Conditions.{NAME}", CONDITION)
            yield "first arm", put(template, plant.at, {"Fn::If": [NAME, bad, good]})
            yield "second arm", put(template, plant.at, {"Fn::If": [NAME, good, bad]})
        if not self.no_parameter:
            declared = plant.declared or {"Type": "Number" if type(plant.bad) is int else "String"}
            parameter = {**declared, "Default": _text(plant.bad)}
            template = put(plant.template, f"Parameters.{NAME}", parameter)
            yield "default", put(template, plant.at, {"Ref": NAME})


def _arm(value: Any) -> Any:
    return NO_VALUE if value is ABSENT else value


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


MUTATORS: list[Mutator] = []


def mutates(check: str, *, no_if: str = "", no_parameter: str = "") -> Callable[[Plants], Plants]:
    """Register a function that plants a check's defect; `no_if` and `no_parameter` say why a form is left out."""

    def register(plants: Plants) -> Plants:
        MUTATORS.append(Mutator(check, plants, no_if, no_parameter))
        return plants

    return register


def get(template: Template, path: str) -> Any:
    """The value at a dotted path, ABSENT where there is none."""
    value: Any = template
    for key in path.split("."):
        if isinstance(value, list):
            elements = cast("list[Any]", value)
            value = elements[int(key)] if int(key) < len(elements) else ABSENT
        elif isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(key, ABSENT)
        else:
            return ABSENT
    return value


def put(template: Template, path: str, value: Any) -> Template:
    """A template with another value at a dotted path; what is not on the path is shared with the old one.

    ABSENT takes the value away, an index one beyond a list appends to it, and what the path lacks is made.
    """
    return _put(template, path.split("."), value)


def _put(old: Any, path: list[str], value: Any) -> Any:
    key, *rest = path
    if isinstance(old, list):
        elements = list(cast("list[Any]", old))
        index = int(key)
        new = _put(elements[index], rest, value) if rest else value
        elements[index : index + 1] = [] if new is ABSENT else [new]
        return elements
    entries: dict[str, Any] = dict(old)
    new = _put(entries.get(key, {}), rest, value) if rest else value
    if new is ABSENT:
        del entries[key]
    else:
        entries[key] = new
    return entries


def body(template: Template) -> str:
    """A template as the text that is checked."""
    return json.dumps(template)


def of(template: Template, *types: str) -> Iterator[tuple[str, Any]]:
    """The resources of these types, by their ids."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in types:
            yield name, resource


def with_resources(template: Template, **resources: Any) -> Template:
    """A template with more resources in it."""
    return put(template, "Resources", {**template["Resources"], **resources})


GROUP = "AWS::AutoScaling::AutoScalingGroup"
LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
FUNCTION = "AWS::Lambda::Function"


def launch_templates(template: Template) -> Iterator[tuple[str, str]]:
    """Ids of the launch templates, with the path of their data."""
    for name, _ in of(template, LAUNCH_TEMPLATE):
        yield name, f"Resources.{name}.Properties.LaunchTemplateData"


def groups(template: Template) -> Iterator[tuple[str, str]]:
    """Ids of the Auto Scaling groups, with the path of the data of their launch templates."""
    for name, group in of(template, GROUP):
        plain = group["Properties"].get("LaunchTemplate")
        mixed = get(template, f"Resources.{name}.Properties.MixedInstancesPolicy.LaunchTemplate")
        chosen = plain or mixed["LaunchTemplateSpecification"]
        yield name, f"Resources.{chosen['LaunchTemplateId']['Ref']}.Properties.LaunchTemplateData"


def script_lines(data: str) -> str:
    """The path of the lines that our user data joins."""
    return f"{data}.UserData.Fn::Base64.Fn::Join.1"


def script(template: Template, data: str) -> tuple[str, str]:
    """The path and the text of our boot script, the last of the lines."""
    path = f"{script_lines(data)}.{len(get(template, script_lines(data))) - 1}"
    found: Any = get(template, path)
    if "Fn::FindInMap" in found:  # what both kinds of node share
        first, second, key = found["Fn::FindInMap"]
        found = get(template, f"Mappings.{first}.{second}.{key}")
    return path, found


def before_script(template: Template, data: str, lines: str) -> tuple[str, str]:
    """Where lines that run before our boot script may stand, and what stands there then."""
    path, text = script(template, data)
    return path, f"{lines}\n{text}"
