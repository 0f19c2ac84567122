"""The AWS CLI of the image: an operation's request goes in as JSON, and its answer comes out."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Request = dict[str, Any]
    Call = Callable[[str, Request], Request]

_SECONDS = 60  # to end a hang; the CLI gives up on a connection before


class CallError(Exception):
    """A call that was not carried out, or whose answer is lost."""


class RefusedError(CallError):
    """A conditional write whose condition does not hold."""


def call(operation: str, request: Request) -> Request:
    """One call, such as `dynamodb get-item`. Raises CallError with what the CLI said."""
    command = ["aws", *operation.split(), "--cli-connect-timeout", "5", "--cli-read-timeout", "10"]
    environment = {**os.environ, "AWS_MAX_ATTEMPTS": "3", "AWS_RETRY_MODE": "standard", "AWS_PAGER": ""}
    try:
        done = subprocess.run(  # noqa: S603 - our own operations
            [*command, "--output", "json", "--cli-input-json", json.dumps(request)],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CallError(f"{operation}: {type(error).__name__}") from error
    if done.returncode:
        kind = RefusedError if "ConditionalCheckFailedException" in done.stderr else CallError
        raise kind(f"{operation}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout or "{}")
