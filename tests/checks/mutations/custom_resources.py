"""Defects of custom resources, added to the functions of our templates."""

from __future__ import annotations

from collections.abc import Iterator

from .functions import with_policy
from .plant import ABSENT, DEPENDS_ON, FUNCTION, GONE, Plant, Template, mutates, of, put, with_resources

THING = "Resources.Thing.Properties"


def with_custom_resource(template: Template) -> Iterator[tuple[str, Template]]:
    """For each function its id and a template with a custom resource that it serves."""
    for name, _ in of(template, FUNCTION):
        properties = {"ServiceToken": {"Fn::GetAtt": [name, "Arn"]}, "ServiceTimeout": 60}
        yield name, with_resources(template, Thing={"Type": "Custom::Thing", "Properties": properties})


@mutates("CB006", no_parameter=GONE)
def service_timeout_gone(template: Template) -> Iterator[Plant]:
    for _, base in with_custom_resource(template):
        yield Plant(base, f"{THING}.ServiceTimeout", ABSENT, "Resources.Thing")


@mutates("CB167")
def service_timeout_short(template: Template) -> Iterator[Plant]:
    for name, base in with_custom_resource(template):
        yield Plant(base, f"{THING}.ServiceTimeout", 5, f"{THING}.ServiceTimeout")
        yield Plant(base, f"Resources.{name}.Properties.Timeout", 60, f"{THING}.ServiceTimeout")


@mutates("CB167", no_parameter=GONE)
def function_timeout_by_default(template: Template) -> Iterator[Plant]:
    """Three seconds, where the function says nothing."""
    for name, base in with_custom_resource(template):
        timeout = f"Resources.{name}.Properties.Timeout"
        base = put(put(base, timeout, 1), f"{THING}.ServiceTimeout", 2)
        yield Plant(base, timeout, ABSENT, f"{THING}.ServiceTimeout")


@mutates("CB007", no_if=DEPENDS_ON, no_parameter=GONE)
def policy_goes_first(template: Template) -> Iterator[Plant]:
    for name, base in with_custom_resource(template):
        base = put(with_policy(base, name, "dynamodb:Query"), "Resources.Thing.DependsOn", "Policy")
        yield Plant(base, "Resources.Thing.DependsOn", ABSENT, "Resources.Thing")
