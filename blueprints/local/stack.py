"""A stack as it would be deployed: template, parameter values and place, and what AWS would deliver of it.

    stack = Stack.read(Path("templates/example/crud-api.yaml"), Path("templates/example/crud-api.parameters.json"))
    stack.physical["Table"] = Physical("stack-Table-1", {"Arn": "arn:…"})
    stack.environment("GetFunction")    # {"TABLE_NAME": "stack-Table-1"}

SAM templates are expanded first. Every question raises BlueprintError where the answer does not resolve.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks.finding import Source
from ..checks.sam import expand
from ..checks.template import TemplateError, load
from ..core import BlueprintError, Fault
from . import intrinsics
from . import parameters as values
from .lookup import Fetch, refuse
from .place import Place
from .resolved import Resolved, entries
from .resolver import EXTENSIONS, SERVERLESS, Physical, Resolver, listed
from .rules import check_rules

_USER_DATA_LIMIT = 16_384  # EC2, "User data": bytes after decoding


@dataclass(frozen=True)
class InlineCode:
    """A function's code that stands in the template; it is delivered as `index` with the runtime's suffix."""

    text: str


@dataclass(frozen=True)
class Asset:
    """A function's code beside the template: a folder or a file."""

    path: Path


class Stack(Resolved):
    """One template with values for its parameters, at one place.

    `physical` maps logical ids to what exists, and may be filled as that comes to be. `source` is the template as
    committed, `template` what the SAM transform makes of it. Raises BlueprintError with every fault of template and
    parameters.
    """

    def __init__(
        self,
        text: str,
        parameters: values.Values | None = None,
        place: Place | None = None,
        *,
        file: str = "template",
        fetch: Fetch = refuse,
        physical: MutableMapping[str, Physical] | None = None,
    ) -> None:
        self.file = file
        self.place = place or Place()
        self.source = _load(text, file)
        self.template = _expanded(Source(file, text), self.source)
        given = values.resolve(entries(self.template.get("Parameters")), parameters or {}, fetch, file)
        super().__init__(
            Resolver(self.template, given, self.place, file=file, fetch=fetch, physical=physical)
        )
        check_rules(self.resolver)

    @classmethod
    def read(
        cls,
        template: Path,
        parameters: Path | None = None,
        place: Place | None = None,
        *,
        overrides: values.Values | None = None,
        fetch: Fetch = refuse,
    ) -> Stack:
        """The stack of a committed template and its `.parameters.json`; `overrides` win over the latter."""
        try:
            text = template.read_text(encoding="utf-8")
        except OSError as error:
            raise BlueprintError(Fault(str(template), "", f"cannot be read: {error.strerror}")) from error
        except UnicodeDecodeError as error:
            raise BlueprintError(Fault(str(template), "", "is not UTF-8; save it as that")) from error
        given = (values.read(parameters) if parameters else {}) | dict(overrides or {})
        return cls(text, given, place, file=str(template), fetch=fetch)

    # What is delivered

    def user_data(self, name: str) -> bytes:
        """What an instance of this launch template, instance or launch configuration finds as its user data."""
        kind = self.resource(name)["Type"]
        path = (
            "Properties.LaunchTemplateData.UserData"
            if kind == "AWS::EC2::LaunchTemplate"
            else "Properties.UserData"
        )
        where = f"Resources.{name}.{path}"
        try:
            found = base64.b64decode(self.get(name, path), validate=True)
        except binascii.Error as error:
            raise self.resolver.fault(where, f"not base64 ({error}); put it into Fn::Base64") from error
        if len(found) > _USER_DATA_LIMIT:
            raise self.resolver.fault(where, f"{len(found)} bytes; EC2 takes {_USER_DATA_LIMIT}")
        return found

    def code(self, name: str) -> InlineCode | Asset:
        """The code of a Lambda function: its text, or where it lies beside the template."""
        code: Any = self.get(name, "Properties.Code.ZipFile", None)
        if code is not None:
            return InlineCode(str(code))
        written = entries(entries(entries(self.source.get("Resources")).get(name)).get("Properties"))
        shared = entries(entries(self.source.get("Globals")).get("Function"))
        path: Any = written.get("CodeUri", written.get("Code", shared.get("CodeUri")))
        if not isinstance(path, str) or path.startswith("s3://"):
            where = f"Resources.{name}.Properties.Code"
            raise self.resolver.fault(where, "neither inline nor a path beside the template; name a folder")
        return Asset((Path(self.file).parent / path).resolve())

    def environment(self, name: str) -> dict[str, str]:
        """Environment variables of a Lambda function, as the template sets them."""
        found: Mapping[str, Any] = self.get(name, "Properties.Environment.Variables", {})
        return {key: intrinsics.text(value) for key, value in found.items()}

    def document(self, name: str) -> dict[str, Any]:
        """The content of an SSM document."""
        content: Any = self.get(name, "Properties.Content")
        if isinstance(content, str):
            return _load(content, f"{self.file}: Resources.{name}.Properties.Content")
        return content

    def state_machine(self, name: str) -> dict[str, Any]:
        """The definition of a state machine, with its DefinitionSubstitutions filled in."""
        where = f"Resources.{name}.Properties"
        text: Any = self.get(name, "Properties.DefinitionString", None)
        if text is None:
            definition: Any = self.get(name, "Properties.Definition", None)
            if definition is None:
                raise self.resolver.fault(
                    where, "a definition in S3 is not fetched; write it into the template"
                )
            text = json.dumps(definition)
        return self._definition(str(text), self.get(name, "Properties.DefinitionSubstitutions", {}), where)

    def _definition(self, text: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        for key, value in given.items():
            # Escaped as JSON, since it is put into a JSON string; a number or boolean may stand without quotes.
            text = text.replace(f"${{{key}}}", json.dumps(intrinsics.text(value))[1:-1])
        left = sorted(set(re.findall(r"\$\{([A-Za-z0-9_]+)\}", text)))
        if left:
            raise self.resolver.fault(where, f"no DefinitionSubstitutions for {', '.join(left)}; give them")
        try:
            return json.loads(text)
        except ValueError as error:
            raise self.resolver.fault(where, f"the definition is no JSON: {error}") from error

    def event_pattern(self, name: str) -> dict[str, Any]:
        """The pattern of an EventBridge rule."""
        found: Any = self.get(name, "Properties.EventPattern")
        return json.loads(found) if isinstance(found, str) else found


def _load(text: str, file: str) -> dict[str, Any]:
    try:
        return load(text)
    except TemplateError as error:
        raise BlueprintError(Fault(file, "", f"not a template: {error}")) from error


def _expanded(source: Source, template: dict[str, Any]) -> dict[str, Any]:
    """The template as CloudFormation creates it. Refuses other transforms than the two known here."""
    for each in listed(template.get("Transform")):
        if each not in (SERVERLESS, EXTENSIONS):
            raise BlueprintError(
                Fault(source.name, "Transform", f"{each!r} runs in the account; write what it gives")
            )
    if not source.is_sam:
        return template
    expansion = expand([source])[source.name]
    if expansion.text is None:
        raise BlueprintError(Fault(source.name, "", message) for message in expansion.errors)
    return json.loads(expansion.text)
