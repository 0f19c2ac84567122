"""A recorded call as the action map reads it, and the simple ways in which its parameters name resources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..aws import CallRecord
from ..place import Place
from .account import Account
from .request import NotJudgedError, several

# Stand for an id that AWS has drawn and no template can name. Two, since a grant has to hold for any.
UNKNOWN = ("00000000-0000-4000-8000-000000000000", "11111111-1111-4111-8111-111111111111")


@dataclass(frozen=True)
class Asked:
    """One call, with what is needed to say which resources it is about."""

    record: CallRecord
    place: Place
    account: Account

    def get(self, name: str) -> Any:
        """A parameter, or None."""
        return self.record.parameters.get(name)

    def __getitem__(self, name: str) -> str:
        """A parameter. Raises NotJudgedError where the call has none of this name."""
        found = self.get(name)
        if found in (None, ""):
            raise NotJudgedError(f"{self.record.api} without {name}")
        return str(found)

    def arn(self, service: str, resource: str, *, region: bool = True, account: bool = True) -> str:
        """An ARN in the call's region and account."""
        where = (self.record.region or self.place.region) if region else ""
        owner = self.place.account if account else ""
        return f"arn:{self.place.partition}:{service}:{where}:{owner}:{resource}"

    def header(self, name: str) -> str | None:
        """A header of a request to S3. Raises NotJudgedError where the journal holds none."""
        # Every signed request has this one.
        if "x-amz-date" not in self.record.parameters and "X-Amz-Date" not in self.record.parameters:
            raise NotJudgedError(
                f"{self.record.api}: the journal has none of its headers, which ask for more"
            )
        return self.get(name)


On = Callable[[Asked], list[str]]
"""The resources that a call is about; it asks for nothing where there are none."""


def everywhere(_: Asked) -> list[str]:
    """What an action that can name no resource is asked on."""
    return ["*"]


def named(service: str, shape: str, *parameters: str, region: bool = True, account: bool = True) -> On:
    """Resources that a parameter names, each by its ARN or by what stands for {} in the shape."""

    def on(asked: Asked) -> list[str]:
        found = [name for each in parameters for name in several(asked.get(each))]
        if not found:
            raise NotJudgedError(f"{asked.record.api} without {' or '.join(parameters)}")
        return [
            str(name)
            if str(name).startswith("arn:")
            else asked.arn(service, shape.format(name), region=region, account=account)
            for name in found
        ]

    return on


def optional(on: On, parameter: str, *, absent: bool = False) -> On:
    """The same resources, where the call has a parameter; with `absent`, where it does not."""
    return lambda asked: on(asked) if (asked.get(parameter) in (None, "")) == absent else []


def with_header(on: On, *headers: str) -> On:
    """The same resources, where a request to S3 has one of these headers."""
    return lambda asked: on(asked) if any(asked.header(each) is not None for each in headers) else []
