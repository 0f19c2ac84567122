"""The log of a boot, for those who cannot reach the node."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from .aws import CallError

if TYPE_CHECKING:
    from pathlib import Path

    from .aws import Call

_LENGTH = 20_000  # characters: the request is an argument of the CLI


def ship(call: Call, path: Path, group: str, stream: str) -> None:
    """Put the end of a log into a stream of the stack's log group. Raises CallError."""
    where = {"logGroupName": group, "logStreamName": stream}
    with suppress(CallError):  # a node that boots again has its stream
        call("logs create-log-stream", where)
    event = {
        "timestamp": int(time.time() * 1000),
        "message": path.read_text(errors="replace")[-_LENGTH:] or "(empty)",
    }
    call("logs put-log-events", {**where, "logEvents": [event]})
