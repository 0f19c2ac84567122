"""Secrets: where a password can be read by whoever may look at a stack, an instance or a log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..check import Hit, at, check
from ..model import Edge, Model, nodes, strings, with_defaults, written

_SECRET_NAME = re.compile(
    r"(Password|Passphrase|Passwd|Secret|Token|Credentials?|(Api|Access|Secret|Private|Auth|Signing)Key)$"
)
_SECRET_REFERENCE = re.compile(r"\{\{resolve:(secretsmanager|ssm-secure):")
_READS_SECRETS = re.compile(r"secretsmanager get-secret-value|get-parameters?\b.*--with-decryption")
# User data, and a variable of a function, a container or a build
_PLAIN = re.compile(
    r"[\w.:]*?\.(?:UserData|Environment\.(?:Variables\.\w+|(?:EnvironmentVariables\.)?\d+\.Value))(?=\.|$)"
)
_TRACES = re.compile(r"^[ \t]*set (?:-o xtrace|-[A-Za-wyz]*x)|^#!.*\s-[A-Za-wyz]*x", re.MULTILINE)


@check(
    "CB106",
    "Secret parameter that is shown",
    harm="Everybody who may describe the stack reads the value, in the console, in the API and in CloudTrail.",
    source="CloudFormation User Guide, 'Parameters: NoEcho'",
    remedy="set NoEcho: true, or let Secrets Manager generate the value",
    of_source=True,
)
def secret_parameter_is_shown(model: Model) -> Iterator[Hit]:
    for name, parameter in model.parameters.items():
        typed = parameter.get("Type") == "String" and "AllowedValues" not in parameter
        hidden = str(parameter.get("NoEcho", False)).lower() == "true"
        if typed and not hidden and _SECRET_NAME.search(name):
            yield Hit(("Parameters", name), "its value is shown")


@check(
    "CB050",
    "Secret in user data, in an environment or in an output",
    harm="User data is plain text to everybody who may describe the instance, and to every process on it;"
    " environments are to whoever may describe the function or the task, outputs to whoever may describe the stack.",
    source="EC2 User Guide, 'Run commands when you launch an EC2 instance with user data input'; Security Hub User"
    " Guide, controls ECS.8 and CodeBuild.2",
    remedy="let the role read the secret when it is needed, and pass its ARN on",
    of_source=True,
)
@with_defaults
def secret_can_be_read(model: Model) -> Iterator[Hit]:
    hidden = {
        name for name, each in model.parameters.items() if str(each.get("NoEcho", False)).lower() == "true"
    }
    for place in sorted({_plain_place(edge) for edge in model.edges if edge.target in hidden} - {()}):
        yield Hit(place, "it holds a parameter with NoEcho")
    for resource in model.resources.values():
        for path, node in nodes(resource.raw_properties(), "Properties"):
            if _PLAIN.fullmatch(path) and any(_SECRET_REFERENCE.search(t) for _, t in strings(node)):
                yield Hit(at(resource.id, path), "it holds a secret's value")
    for name, output in model.section("Outputs").items():
        for path, text in strings(output):
            if _SECRET_REFERENCE.search(text):
                yield Hit(("Outputs", name, *path.split(".")), "it holds a secret's value")


def _plain_place(edge: Edge) -> tuple[str, ...]:
    """The user data or the variable in which an edge begins, if it does."""
    found = _PLAIN.match(edge.path)
    return at(edge.source, found[0]) if found else ()


@check(
    "CB107",
    "Script that prints the secrets it reads",
    harm="`set -x` writes every command with its values to the log, where the password stays.",
    source="Bash Reference Manual, 'The Set Builtin'",
    remedy="leave set -x out of it",
    of_source=True,
)
@with_defaults
def script_prints_secrets(model: Model) -> Iterator[Hit]:
    for resource in model.resources.values():
        scripts = [
            path
            for path, node in nodes(resource.raw_properties(), "Properties")
            for text in [written(node)]
            if _TRACES.search(text) and _READS_SECRETS.search(text)
        ]
        for path in scripts[:1]:
            yield Hit(at(resource.id, path), "the script traces its commands and reads a secret")
