"""What IAM is asked: one action on one resource, with what is known about the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

Context = Mapping[str, tuple[str, ...]]
"""Values of condition keys, by their names in small letters. Without values a key is known to be absent."""


class NotJudgedError(Exception):
    """Something that nobody here can judge, and that is a failure for this reason. The message says what it is."""


@dataclass(frozen=True)
class Request:
    """One question to IAM. `cause` is the call, or what AWS does by itself; `resource` is "*" where there is none."""

    action: str
    resource: str
    cause: str = ""
    context: Context = field(default_factory=dict[str, tuple[str, ...]], hash=False)

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key, none if it is absent. Raises NotJudgedError where that is not known."""
        found = self.context.get(key.lower())
        if found is None:
            raise NotJudgedError(
                f"{self.cause}: nothing is known of {key} for {self.action} on {self.resource}"
            )
        return found


def several(value: Any) -> list[Any]:
    """The elements where a policy takes one or a list of them."""
    if isinstance(value, (list, tuple)):
        return [*cast("list[Any]", value)]
    return [] if value is None else [value]
