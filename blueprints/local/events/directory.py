"""Which function a name or an ARN means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..functions import Function
from ..stack import Stack

LATEST = "$LATEST"

# API Reference, "Invoke", FunctionName: a name, a partial or a full ARN, each with or without a qualifier.
_NAME = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?(?P<name>[\w-]{1,64})(?::(?P<qualifier>[\w$-]{1,128}))?"
)


@dataclass(frozen=True)
class Found:
    """A function by its logical id, its ARN without qualifier, and the version or alias that is meant."""

    name: str
    arn: str
    function: Function
    qualifier: str


class Directory:
    """The functions of a stack. `functions` is by logical id, and may change."""

    def __init__(self, stack: Stack, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._physical = {stack.physical[name].ref: name for name in functions}
        self._arns = {name: stack.physical[name].attributes["Arn"] for name in functions}
        self._qualifiers = {LATEST}
        for alias in stack.resources("AWS::Lambda::Alias"):
            self._qualifiers.add(str(stack.get(alias, "Properties.Name")))
        if stack.resources("AWS::Lambda::Version"):
            self._qualifiers.add("1")

    def find(self, given: str, qualifier: str = "") -> Found | None:
        """The function of a name or ARN; None for one that is not run here, or a qualifier that it has not."""
        match = _NAME.fullmatch(given)
        name = self._physical.get(match["name"]) if match else None
        wanted = qualifier or (match and match["qualifier"]) or LATEST
        function = self._functions.get(name) if name else None
        if name is None or function is None or wanted not in self._qualifiers:
            return None
        return Found(name, self._arns[name], function, wanted)
