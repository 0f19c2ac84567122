"""One request on its way through the gateway, and who made it."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .api import Api, Stage
from .message import Request
from .routing import Match

# Not strftime: it would name months in the language of the machine.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Bearer:
    """Whom a JWT authorizer let in. `scopes` are the token's, None where the route asks for none."""

    claims: Mapping[str, Any]
    scopes: tuple[str, ...] | None


@dataclass(frozen=True)
class Signer:
    """Whom a signature let in. All that is known here is the key, so the account's root stands for the user."""

    access_key: str
    account: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:root"


Caller = Bearer | Signer


def _extended_id() -> str:
    return base64.b64encode(os.urandom(11)).decode().replace("+", "A").replace("/", "A")


@dataclass
class Call:
    """`time` is seconds since the epoch. `stage`, `match` and `caller` are filled as they become known."""

    api: Api
    request: Request
    time: float
    stage: Stage | None = None
    match: Match | None = None
    caller: Caller | None = None
    extended_id: str = field(default_factory=_extended_id)
    notes: dict[str, str] = field(default_factory=dict[str, str])  # $context variables for the access log

    @cached_property
    def id(self) -> str:
        return self.extended_id if self.api.kind == "HTTP" else str(uuid.uuid4())

    @property
    def matched(self) -> Match:
        assert self.match is not None, "asked for before routing"  # noqa: S101
        return self.match

    @property
    def host(self) -> str:
        """$context.domainName: the same as the Host header."""
        return self.request.header("host") or ""

    @property
    def clf_time(self) -> str:
        """`12/Mar/2020:19:03:58 +0000`."""
        at = datetime.fromtimestamp(self.time, UTC)
        return f"{at.day:02}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"

    @property
    def epoch_ms(self) -> int:
        return int(self.time * 1000)

    @cached_property
    def trace_id(self) -> str:
        return f"Root=1-{int(self.time):08x}-{os.urandom(12).hex()}"
