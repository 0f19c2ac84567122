"""One invocation: what goes in, what comes out, and the words in which Lambda reports a failure."""

from __future__ import annotations

import json
import secrets
import signal
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal, cast

# Developer Guide, "Lambda quotas": 6 MB each for request and response, synchronous. Lambda's own messages name
# 6,291,456 bytes for the request and a hundred more for the response.
REQUEST_LIMIT = 6_291_456
RESPONSE_LIMIT = 6_291_556

Status = Literal["success", "error", "timeout"]


@dataclass(frozen=True)
class Invocation:
    """How an invocation ended.

    `payload` is what the function returned, or the error as JSON; `error` is the header X-Amz-Function-Error, None
    or "Unhandled" (the API Reference, "Invoke"). `status` is the one of the platform's report. `billed_ms` includes
    the init phase, as billed since August 2025. `init_ms` is given for the first invocation of an environment, if
    its init phase succeeded. `max_memory_mb` is 0 where there is no /proc. `log_tail` holds the last 4 KB of log.
    """

    request_id: str
    payload: bytes
    error: str | None
    status: Status
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int
    cold: bool
    log_tail: str


class TooManyRequests(Exception):  # noqa: N818  # the name that AWS gives it, as the next
    """429: reserved concurrency is exhausted (API Reference, "Invoke", TooManyRequestsException)."""

    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"

    def __init__(self) -> None:
        super().__init__("Rate Exceeded.")


class RequestTooLarge(Exception):  # noqa: N818
    """413: the event is over 6 MB (API Reference, "Invoke", RequestTooLargeException)."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"{size} byte payload is too large for the RequestResponse invocation type "
            f"(limit {REQUEST_LIMIT} bytes)"
        )


class FunctionClosed(Exception):  # noqa: N818  # an end, not an error
    """The function was closed before its handler saw this event."""


def _trace_id() -> str:
    """A tracing header that is not sampled (X-Ray Developer Guide, "Tracing header")."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


@dataclass(eq=False)
class Job:
    """An event on its way through the pool. `deadline_ms` is Unix time, known once it is handed over."""

    event: bytes
    arn: str
    client_context: bytes | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=_trace_id)
    deadline_ms: int = 0
    result: Future[Invocation] = field(default_factory=Future[Invocation])


@dataclass(frozen=True)
class Outcome:
    """What the caller gets; `crashed` when the runtime did not live to report it itself."""

    payload: bytes
    status: Status = "success"
    error_type: str | None = None
    crashed: bool = False


def returned(payload: bytes) -> Outcome:
    """The handler's return value, unless it is over the limit: then Lambda refuses it."""
    return Outcome(payload) if len(payload) <= RESPONSE_LIMIT else _too_large()


def raised(payload: bytes, request_id: str) -> Outcome:
    """An error that the runtime reported; one from the init phase does not know the request yet."""
    if len(payload) > RESPONSE_LIMIT:
        return _too_large()
    fields = _fields(payload)
    if fields is None:
        return Outcome(payload, "error", "Runtime.Unknown")
    if not fields.get("requestId"):
        payload = json.dumps({**fields, "requestId": request_id}, ensure_ascii=False).encode()
    return Outcome(payload, "error", str(fields.get("errorType", "Runtime.Unknown")))


def _fields(payload: bytes) -> dict[str, object] | None:
    try:
        plain: object = json.loads(payload)
    except ValueError:
        return None
    return cast("dict[str, object]", plain) if isinstance(plain, dict) else None


def _too_large() -> Outcome:
    message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    return _failure(message, "Function.ResponseSizeTooLarge")


def timed_out(request_id: str, seconds: float) -> Outcome:
    """Developer Guide, "Troubleshoot invocation issues in Lambda": Sandbox.Timedout."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return _failure(message, "Sandbox.Timedout", "timeout", crashed=True)


def exited(request_id: str, code: int) -> Outcome:
    """The process ended by itself or by a signal: `code` as subprocess gives it, negative for a signal.

    Developer Guide, "Troubleshoot invocation issues in Lambda": Runtime.ExitError, "signal: killed" also for want
    of memory. A status of 0 gives no reason ("Understanding the Lambda execution environment lifecycle").
    """
    if code == 0:
        reason = "Runtime exited without providing a reason"
    else:
        reason = f"Runtime exited with error: {_signal(-code) if code < 0 else f'exit status {code}'}"
    return _failure(f"RequestId: {request_id} Error: {reason}", "Runtime.ExitError", crashed=True)


def _signal(number: int) -> str:
    """A signal in the words of Lambda, which are Go's."""
    words = {
        signal.SIGABRT: "aborted",
        signal.SIGBUS: "bus error",
        signal.SIGFPE: "floating point exception",
        signal.SIGHUP: "hangup",
        signal.SIGILL: "illegal instruction",
        signal.SIGINT: "interrupt",
        signal.SIGKILL: "killed",
        signal.SIGSEGV: "segmentation fault",
        signal.SIGTERM: "terminated",
    }
    return f"signal: {words.get(signal.Signals(number), str(number))}"


def _failure(message: str, kind: str, status: Status = "error", *, crashed: bool = False) -> Outcome:
    payload = json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode()
    return Outcome(payload, status, kind, crashed)
