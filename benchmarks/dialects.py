"""The two languages CDK apps are generated in: how each spells a value, a call and a construct."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Pairs = Sequence[tuple[str, str]]  # name -> source text


class Dialect(Protocol):
    """What the generator needs of a language. Names come in the CDK's own camelCase."""

    suffix: str
    modules: set[str]

    def name(self, camel: str) -> str: ...
    def scalar(self, value: str | int | float | bool | None) -> str: ...
    def mapping(self, pairs: Pairs) -> str: ...
    def struct(self, fqn: str, pairs: Pairs) -> str: ...
    def construct(self, fqn: str, construct_id: str, pairs: Pairs, variable: str | None) -> str: ...
    def statement(self, text: str) -> str: ...
    def function(self, name: str, body: Sequence[str]) -> str: ...
    def stacks_file(self, functions: Iterable[str]) -> str: ...
    def app_file(self, stacks: Pairs) -> str: ...


def _module(fqn: str) -> str | None:
    """`aws_ec2` of `aws-cdk-lib.aws_ec2.CfnVPC`; None for what lies at the root."""
    second = fqn.split(".")[1]
    return second if second.startswith("aws_") else None


@dataclass
class JavaScript:
    """CommonJS, as `cdk init --language javascript` starts an app."""

    suffix: str = ".js"
    modules: set[str] = field(default_factory=set[str])

    def name(self, camel: str) -> str:
        return camel

    def scalar(self, value: str | int | float | bool | None) -> str:
        return json.dumps(value)

    def mapping(self, pairs: Pairs) -> str:
        return _braced(f"{json.dumps(key)}: {value}" for key, value in pairs)

    def struct(self, fqn: str, pairs: Pairs) -> str:
        return _braced(f"{key}: {value}" for key, value in pairs)

    def construct(self, fqn: str, construct_id: str, pairs: Pairs, variable: str | None) -> str:
        bound = f"const {variable} = " if variable else ""
        lines = "".join(f"    {key}: {value},\n" for key, value in pairs)
        return f"{bound}new {self._path(fqn)}(stack, {json.dumps(construct_id)}, {{\n{lines}  }});"

    def statement(self, text: str) -> str:
        return f"{text};"

    def function(self, name: str, body: Sequence[str]) -> str:
        lines = "".join(f"  {line}\n" for line in body)
        return f"function {name}(stack) {{\n{lines}}}\n"

    def stacks_file(self, functions: Iterable[str]) -> str:
        texts = list(functions)
        names = re.findall(r"^function (\w+)", "\n".join(texts), re.MULTILINE)
        imports = [
            f"const {name[4:]} = require('aws-cdk-lib/{name.replace('_', '-')}');"
            for name in sorted(self.modules)
        ]
        head = "\n".join(["'use strict';", "const cdk = require('aws-cdk-lib');", *imports])
        return f"{head}\n\n" + "\n".join(texts) + f"\nmodule.exports = {{ {', '.join(names)} }};\n"

    def app_file(self, stacks: Pairs) -> str:
        options = "{ synthesizer: new cdk.LegacyStackSynthesizer() }"
        calls = [
            f"stacks.{build}(new cdk.Stack(app, {json.dumps(name)}, {options}));" for name, build in stacks
        ]
        head = [
            "'use strict';",
            "const cdk = require('aws-cdk-lib');",
            "const stacks = require('./stacks');",
            "",
        ]
        return "\n".join(
            [*head, "const app = new cdk.App({ analyticsReporting: false });", *calls, "app.synth();", ""]
        )

    def _path(self, fqn: str) -> str:
        module = _module(fqn)
        if module is None:
            return f"cdk.{fqn.partition('.')[2]}"
        self.modules.add(module)
        return f"{module[4:]}.{fqn.split('.', 2)[2]}"


@dataclass
class Python:
    """The stacks are a module of their own, so that Python keeps their byte code, as of a real app."""

    suffix: str = ".py"
    modules: set[str] = field(default_factory=set[str])

    def name(self, camel: str) -> str:
        snake = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", camel)
        snake = re.sub(r"([A-Z])([A-Z][a-z]+)", r"\1_\2", snake).lower()
        return f"{snake}_" if keyword.iskeyword(snake) else snake

    def scalar(self, value: str | int | float | bool | None) -> str:
        return repr(value)

    def mapping(self, pairs: Pairs) -> str:
        return _braced(f"{key!r}: {value}" for key, value in pairs)

    def struct(self, fqn: str, pairs: Pairs) -> str:
        return f"{self._path(fqn)}({', '.join(f'{self.name(key)}={value}' for key, value in pairs)})"

    def construct(self, fqn: str, construct_id: str, pairs: Pairs, variable: str | None) -> str:
        bound = f"{variable} = " if variable else ""
        lines = "".join(f"        {self.name(key)}={value},\n" for key, value in pairs)
        return f"{bound}{self._path(fqn)}(\n        stack,\n        {construct_id!r},\n{lines}    )"

    def statement(self, text: str) -> str:
        return text

    def function(self, name: str, body: Sequence[str]) -> str:
        lines = "".join(f"    {line}\n" for line in body)
        return f"def {name}(stack):\n{lines}"

    def stacks_file(self, functions: Iterable[str]) -> str:
        texts = list(functions)
        imports = [f"from aws_cdk import {name} as {_python_alias(name)}" for name in sorted(self.modules)]
        return "\n".join(["import aws_cdk as cdk", *imports, "", ""]) + "\n" + "\n\n".join(texts)

    def app_file(self, stacks: Pairs) -> str:
        options = "synthesizer=cdk.LegacyStackSynthesizer()"
        calls = [f"stacks.{build}(cdk.Stack(app, {name!r}, {options}))" for name, build in stacks]
        head = ["import aws_cdk as cdk", "import stacks", "", "app = cdk.App(analytics_reporting=False)"]
        return "\n".join([*head, *calls, "app.synth()", ""])

    def _path(self, fqn: str) -> str:
        module = _module(fqn)
        if module is None:
            return f"cdk.{fqn.partition('.')[2]}"
        self.modules.add(module)
        return f"{_python_alias(module)}.{fqn.split('.', 2)[2]}"


def _python_alias(module: str) -> str:
    alias = module.removeprefix("aws_")
    return f"{alias}_" if keyword.iskeyword(alias) else alias


def _braced(parts: Iterable[str]) -> str:
    return "{" + ", ".join(parts) + "}"
