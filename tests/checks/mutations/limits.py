"""Defects of size: user data, policies, environments and bodies, each with room left for what is planted."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    ABSENT,
    FUNCTION,
    LONGEST_DEFAULT,
    SECTION,
    STRUCTURE,
    Plant,
    Template,
    body,
    get,
    launch_templates,
    mutates,
    of,
    put,
    script_lines,
)

USER_DATA = 16_384  # bytes: EC2 User Guide, "User data limitations"
POLICIES = 10_240  # characters of a role's inline policies: IAM User Guide, "IAM and AWS STS quotas"
ENVIRONMENT = 4_096  # bytes: Lambda Developer Guide, "Lambda quotas"
BODY = 51_200  # bytes passed inline: CloudFormation User Guide, "Understand CloudFormation quotas"
DESCRIPTION = 1_024  # bytes: the same
PARAMETERS = 200  # the same


def comment(length: int) -> str:
    """A shell's comment of so many bytes."""
    return "#".ljust(length, "x")


def with_user_data(template: Template, length: int) -> Iterator[tuple[str, str, Template]]:
    """For each launch template its id, the path of a short line, and a template with user data so long."""
    for name, data in launch_templates(template):
        lines = ["#!/bin/bash", "", comment(length - len("#!/bin/bash\n\n\ntrue")), "true"]
        yield f"Resources.{name}", f"{script_lines(data)}.1", put(template, script_lines(data), lines)


@mutates("CB026")
def user_data_over_limit(template: Template) -> Iterator[Plant]:
    for name, at, base in with_user_data(template, USER_DATA):
        yield Plant(base, at, "#", name)
    for name, at, base in with_user_data(template, USER_DATA - LONGEST_DEFAULT + 1):
        yield Plant(base, at, comment(LONGEST_DEFAULT), name)


def with_statement(template: Template) -> Iterator[tuple[str, str, Template]]:
    """For each role its id, the path of a statement, and a template where it is nearly all that a role may have."""
    for name, _ in of(template, "AWS::IAM::Role"):
        at = f"Resources.{name}.Properties.Policies.0.PolicyDocument"
        resources = ["arn".ljust(3_000, "x"), "arn".ljust(4_500, "x"), "arn"]
        statement = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": resources}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        yield f"Resources.{name}", f"{at}.Statement.0", put(template, at, document)


@mutates("CB026")
def policy_over_limit(template: Template) -> Iterator[Plant]:
    for name, at, base in with_statement(template):
        yield Plant(base, f"{at}.Resource.2", "arn".ljust(LONGEST_DEFAULT, "x"), name)


@mutates("CB026", no_parameter=STRUCTURE)
def statement_over_limit(template: Template) -> Iterator[Plant]:
    for name, at, base in with_statement(template):
        statement = get(base, at)
        yield Plant(base, at.removesuffix("0") + "1", statement, name)
        yield Plant(base, at, {**statement, "Resource": ["arn".ljust(POLICIES, "x")]}, name)


def texts(template: Template) -> Iterator[str]:
    """Where a text of any length may stand, if there is room: a line of a boot script, a variable of a function."""
    if len(body(template)) > BODY * 9 // 10 - 100:
        return
    for _, data in launch_templates(template):
        yield f"{script_lines(data)}.1"
    for name, _ in of(template, FUNCTION, "AWS::Serverless::Function"):
        yield f"Resources.{name}.Properties.Environment.Variables.NOTE"


def filled(template: Template, length: int) -> Template:
    """A template whose body has so many bytes."""
    base = put(template, "Metadata.Note", "")
    return put(base, "Metadata.Note", "x" * (length - len(body(base))))


@mutates("CB102")
def body_not_inline(template: Template) -> Iterator[Plant]:
    for at in texts(template):
        base = filled(put(template, at, "x"), BODY)
        yield Plant(base, at, comment(LONGEST_DEFAULT), "Resources")


@mutates("CB105")
def body_close_to_limit(template: Template) -> Iterator[Plant]:
    for at in texts(template):
        base = filled(put(template, at, "x"), BODY * 9 // 10 - 1)
        yield Plant(base, at, comment(LONGEST_DEFAULT // 2), "Resources")


@mutates("CB105")
def user_data_close_to_limit(template: Template) -> Iterator[Plant]:
    for name, at, base in with_user_data(template, USER_DATA * 9 // 10 - 100):
        yield Plant(base, at, comment(200), name)


@mutates("CB105")
def environment_close_to_limit(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        at = f"Resources.{name}.Properties.Environment.Variables.NOTE"
        base = put(template, at.removesuffix(".NOTE"), {"NOTE": "x"})
        yield Plant(base, at, "x" * (ENVIRONMENT * 9 // 10), f"Resources.{name}")


@mutates("CB105", no_parameter=STRUCTURE)
def variables_close_to_limit(template: Template) -> Iterator[Plant]:
    for name, _ in of(template, FUNCTION):
        at = f"Resources.{name}.Properties.Environment"
        variables = {"NOTE": "x" * (ENVIRONMENT * 9 // 10)}
        yield Plant(template, f"{at}.Variables", variables, f"Resources.{name}")
        yield Plant(template, at, {"Variables": variables}, f"Resources.{name}")


@mutates("CB105", no_if=SECTION, no_parameter=SECTION)
def sections_close_to_limit(template: Template) -> Iterator[Plant]:
    parameter = {"Type": "Number", "Default": 1}
    many = {f"Number{index}": parameter for index in range(PARAMETERS - 10 - len(template["Parameters"]))}
    yield Plant(template, "Parameters", {**template["Parameters"], **many}, "Parameters")
    yield Plant(template, "Description", "x" * (DESCRIPTION - 10), "Description")


@mutates("CB103", no_parameter=STRUCTURE)
def base64_gone(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.UserData"
        yield Plant(template, at, get(template, f"{at}.Fn::Base64"), at)


@mutates("CB103")
def plain_text(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        at = f"{data}.UserData"
        yield Plant(put(template, at, ABSENT), at, "#!/bin/bash\nreboot", at)
        yield Plant(put(template, at, "IyEvYmluL2Jhc2g="), at, "#!/bin/bash\nreboot", at)
