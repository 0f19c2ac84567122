"""Defects that show a secret to whoever may look at a stack, an instance or a log."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    ABSENT,
    GONE,
    SECTION,
    STRUCTURE,
    Plant,
    Template,
    before_script,
    launch_templates,
    mutates,
    put,
    script_lines,
)

PASSWORD = "Parameters.DatabasePassword"  # noqa: S105 - a parameter's path
DECLARED = {
    "Type": "String",
    "NoEcho": True,
    "AllowedPattern": "[a-z]{8,64}",
    "ConstraintDescription": "letters",
}
LOOKED_UP = "{{resolve:secretsmanager:database:SecretString:password}}"


@mutates("CB106", no_if=SECTION, no_parameter=SECTION)
def password_shown(template: Template) -> Iterator[Plant]:
    base = put(template, PASSWORD, DECLARED)
    for value in (ABSENT, False):
        yield Plant(base, f"{PASSWORD}.NoEcho", value, PASSWORD)
    for name in ("ApiToken", "ClientSecret", "SigningKey"):
        yield Plant(base, f"Parameters.{name}", {**DECLARED, "NoEcho": False}, f"Parameters.{name}")


@mutates("CB050", no_parameter=STRUCTURE)
def password_in_user_data(template: Template) -> Iterator[Plant]:
    base = put(template, PASSWORD, DECLARED)
    for _, data in launch_templates(template):
        at = f"{data}.UserData"
        line = f"{script_lines(data)}.1"
        yield Plant(base, line, {"Fn::Sub": "export PASSWORD='${DatabasePassword}'"}, at)
        yield Plant(base, line, {"Ref": "DatabasePassword"}, at)


@mutates("CB050", no_if=SECTION, no_parameter=GONE)
def parameter_of_user_data_hidden(template: Template) -> Iterator[Plant]:
    """What a boot script prints is told to be a secret."""
    for _, data in launch_templates(template):
        base = put(template, PASSWORD, {**DECLARED, "NoEcho": False})
        base = put(base, f"{script_lines(data)}.1", {"Fn::Sub": "export PASSWORD='${DatabasePassword}'"})
        yield Plant(base, f"{PASSWORD}.NoEcho", True, f"{data}.UserData")


@mutates("CB050")
def secret_in_user_data(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        lines = f"export PASSWORD='{LOOKED_UP}'"
        yield Plant(template, *before_script(template, data, lines), f"{data}.UserData")


@mutates("CB050")
def secret_in_output(template: Template) -> Iterator[Plant]:
    for name in template["Outputs"]:
        yield Plant(template, f"Outputs.{name}.Value", LOOKED_UP, f"Outputs.{name}")


@mutates("CB107")
def secret_read_while_tracing(template: Template) -> Iterator[Plant]:
    for _, data in launch_templates(template):
        base = put(template, script_lines(data), ["#!/bin/bash", "set -ex", "", "exit"])
        lines = "aws secretsmanager get-secret-value --secret-id database"
        yield Plant(base, f"{script_lines(data)}.2", lines, f"{data}.UserData")
