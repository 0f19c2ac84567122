"""Programs that a template carries as text: user data, shell steps of SSM documents, inline functions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from .check import at
from .model import Model, Resource, alternatives, entries, function, nodes

_SHELLS = {"bash": "bash", "sh": "sh", "dash": "dash", "ksh": "ksh"}
_PYTHON = re.compile(r"python(?:\d(?:\.\d+)?)?")
_RUNTIME = re.compile(r"python(\d+\.\d+)")
_REFERENCE = re.compile(r"\$\{(!?)([^${}]*)\}")
_AUTOMATION = re.compile(r"\{\{[^{}\n]*\}\}")  # a parameter or variable of an SSM document
_PLAIN = re.compile(r"[\w./:@+-]+")

# In the place of what is known at deploy: a word to every language. The mark tells where, and is taken out again.
_PLACEHOLDER = "placeholder"
_MARK = "\ue000"


@dataclass(frozen=True)
class Code:
    """One program of a template, with placeholders for what is filled in at deploy.

    `language` is bash, sh, dash, ksh or python; `version` is that of a Python runtime, such as 3.13, where known.
    `filled` are the lines, from 1, on which a placeholder stands. `part` says which one, where a text holds several.
    """

    path: tuple[str, ...]
    language: str
    text: str
    filled: frozenset[int] = frozenset()
    part: str = ""
    version: str = ""

    def place(self, line: int) -> str:
        """A line of it in words."""
        return f"line {line}{f' of {self.part}' if self.part else ''}"


def programs(model: Model) -> list[Code]:
    """Every program whose language is known, in the order of the template; none twice."""
    return list(dict.fromkeys(code for each in model.resources.values() for code in _programs(model, each)))


def _programs(model: Model, resource: Resource) -> Iterator[Code]:
    for path, node in nodes(resource.raw_properties(), "Properties"):
        if path.endswith(".UserData"):
            for text in _texts(model, node):
                yield from _user_data(at(resource.id, path), text)
    if resource.type == "AWS::SSM::Document":
        yield from _document(model, resource)
    if resource.type == "AWS::Lambda::Function":
        yield from _function(model, resource)


def _function(model: Model, resource: Resource) -> Iterator[Code]:
    written = entries(resource.raw_properties().get("Code")).get("ZipFile")
    for runtime in alternatives(resource.get("Runtime")):
        named = _RUNTIME.fullmatch(runtime) if isinstance(runtime, str) else None
        if written is not None and named is not None:
            for text in _texts(model, written):
                yield _code(at(resource.id, "Properties.Code.ZipFile"), "python", text, version=named[1])


def _code(path: tuple[str, ...], language: str, text: str, part: str = "", version: str = "") -> Code:
    filled = {number for number, line in enumerate(text.split("\n"), 1) if _MARK in line}
    return Code(path, language, text.replace(_MARK, ""), frozenset(filled), part, version)


# Texts


def _texts(model: Model, value: Any) -> Iterator[str]:
    """A text as it may be at deploy, once with the first arm of every Fn::If and once with the second."""
    yield from dict.fromkeys(_text(model, value, arm) for arm in (1, 2))


def _text(model: Model, value: Any, arm: int) -> str:
    name, argument = function(value)
    if not name:
        return str(value) if isinstance(value, (str, int, float)) else _MARK + _PLACEHOLDER
    parts = _list(argument)
    if name == "Fn::Sub":
        text, given = (*parts, None, None)[:2] if parts else (argument, None)
        return _substituted(model, str(text), entries(given), arm)
    if name == "Fn::Base64":
        return _text(model, argument, arm)
    if name == "Fn::If" and len(parts) == 3:
        return _text(model, parts[arm], arm)
    if name == "Fn::Join" and len(parts) == 2 and isinstance(parts[1], list):
        return str(parts[0]).join(_text(model, each, arm) for each in _list(parts[1]))
    if name == "Fn::FindInMap" and isinstance(found := model.mapped(argument), str):
        return found
    return _value(model, str(argument)) if name == "Ref" else _MARK + _PLACEHOLDER


def _substituted(model: Model, text: str, named: Mapping[str, Any], arm: int) -> str:
    def value(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return f"${{{name}}}"
        return _MARK + _text(model, named[name], arm) if name in named else _value(model, name)

    return _REFERENCE.sub(value, text)


def _value(model: Model, name: str) -> str:
    """What stands for a parameter: its default if it is one plain word, a number where it has to be one."""
    if name == "AWS::NoValue":
        return ""
    parameter = model.parameters.get(name, {})
    default = str(parameter.get("Default", ""))
    word = "1" if parameter.get("Type") == "Number" else _PLACEHOLDER
    return _MARK + (default if _PLAIN.fullmatch(default) else word)


# User data, as cloud-init reads it (cloud-init documentation, "User data formats")


def _user_data(path: tuple[str, ...], text: str, part: str = "") -> Iterator[Code]:
    if re.match(r"(?i)(content-type|mime-version):", text):
        yield from _multipart(path, text)
    elif text.startswith("#cloud-config"):
        yield from _cloud_config(path, text, part)
    elif text.startswith("#cloud-boothook"):
        first, _, rest = text.partition("\n")
        yield from _script(path, rest, f"{part or 'the boothook'} after {first}")
    elif text.startswith("#!"):
        yield from _script(path, text, part)
    elif decoded := _decoded(text):
        yield from _user_data(path, decoded, part)


def _script(path: tuple[str, ...], text: str, part: str = "", otherwise: str = "") -> Iterator[Code]:
    """A script in the language that its first line names, or `otherwise`."""
    language = _interpreter(text) if text.startswith("#!") else otherwise
    if language:
        yield _code(path, language, text, part)


def _interpreter(text: str) -> str:
    """The language of a first line such as `#!/bin/bash` or `#!/usr/bin/env -S python3 -u`; "" for others."""
    words = [word for word in text.partition("\n")[0][2:].split() if not word.startswith("-")]
    names = [word.rpartition("/")[2] for word in words]
    name = next((each for each in names if each != "env"), "")
    return "python" if _PYTHON.fullmatch(name) else _SHELLS.get(name, "")


def _multipart(path: tuple[str, ...], text: str) -> Iterator[Code]:
    from email import message_from_bytes

    for number, each in enumerate(message_from_bytes(text.encode()).walk()):
        payload = each.get_payload(decode=True)
        if isinstance(payload, bytes):
            name = f"part {number}, {each.get_filename() or each.get_content_type()}"
            content = payload.decode("utf-8", "replace")
            kind = _BY_CONTENT_TYPE.get(each.get_content_type(), _user_data)
            yield from kind(path, content, name)


def _cloud_config(path: tuple[str, ...], text: str, part: str) -> Iterator[Code]:
    config = entries(_loaded(text))
    for key in ("bootcmd", "runcmd"):
        commands = [_command(each) for each in _list(config.get(key))]
        if commands:
            # cloud-init writes them into one file that begins with #!/bin/sh
            yield _code(path, "sh", "\n".join(commands), f"{key} in {part or 'the cloud-config'}")
    for file in _list(config.get("write_files")):
        name, content = entries(file).get("path", "a file"), entries(file).get("content")
        if isinstance(content, str):
            yield from _script(path, content, str(name))


def _command(command: Any) -> str:
    """One entry of runcmd: text is a part of the script, a list is words that no shell reads."""
    return ":" if isinstance(command, list) else str(command)


def _shell_part(path: tuple[str, ...], text: str, part: str) -> Iterator[Code]:
    return _script(path, text, part, "sh")


_BY_CONTENT_TYPE = {"text/x-shellscript": _shell_part, "text/cloud-config": _cloud_config}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


# SSM documents


def _document(model: Model, resource: Resource) -> Iterator[Code]:
    raw = resource.raw_properties().get("Content")
    path = "Properties.Content"
    if not isinstance(raw, Mapping) or function(raw)[0]:
        for text in _texts(model, raw):
            yield from _steps(model, resource.id, path, _loaded(text))
    else:
        yield from _steps(model, resource.id, path, raw)


def _steps(model: Model, resource: str, path: str, content: Any) -> Iterator[Code]:
    """Shell steps of both schemas: mainSteps (2.2) and runtimeConfig (1.2)."""
    for place, node in nodes(content, path):
        entry = entries(node)
        if entry.get("action") == "aws:runShellScript" and "inputs" in entry:
            name = f"step {entry.get('name', place.rpartition('.')[2])}"
            yield from _commands(model, resource, f"{place}.inputs", entries(entry["inputs"]), name)
        if place.endswith(".aws:runShellScript"):
            for index, each in enumerate(_list(entry.get("properties"))):
                yield from _commands(model, resource, f"{place}.properties.{index}", entries(each), "")


def _commands(model: Model, resource: str, path: str, inputs: Mapping[str, Any], name: str) -> Iterator[Code]:
    """The agent runs them as one file by `sh -c`: in sh, unless its first line names another shell."""
    written: Any = inputs.get("runCommand")
    lines = _list(written)
    joined: Any = {"Fn::Join": ["\n", lines]} if lines else written
    for text in _texts(model, joined):
        filled = _AUTOMATION.sub(_MARK + _PLACEHOLDER, text)
        yield from _script(at(resource, f"{path}.runCommand"), filled, name, "sh")


def _loaded(text: str) -> Any:
    """YAML as data; None for what is none, or has aliases, by which a short text can be endlessly large."""
    plain = text.replace(_MARK, "")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(plain, yaml.CSafeLoader)):
            return None
        return yaml.load(plain, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
