"""What a function prints, and what Lambda adds: one stream of lines for each environment."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from .invocation import Invocation, Outcome
from .spec import FunctionSpec

Log = Callable[[str, str], None]

# CloudWatch Logs User Guide, "CloudWatch Logs quotas": 256 KB an event when Lambda's limit was set.
LINE_LIMIT = 256 * 1024
# API Reference, "Invoke", LogResult: the last 4 KB.
TAIL_LIMIT = 4 * 1024
_CHUNK = 64 * 1024


class Output:
    """A pipe that the function writes to, read line by line without ever holding more than one line.

    Its process waits when the listener is slow: nothing is lost, and memory stays bounded. Lines go to
    `log(name, line)` without their end; longer ones are cut into pieces of 256 KB. The runtime client joins the
    lines of a traceback by carriage returns: they arrive as one event with newlines, as they do in CloudWatch.
    """

    def __init__(self, name: str, log: Log) -> None:
        self._name = name
        self._log = log
        self._lock = threading.Lock()
        self._partial = bytearray()
        self._tail = bytearray()
        self._closed = False
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def drain(self) -> bool:
        """Pass on what is in the pipe now. False when nobody can write to it any more."""
        with self._lock:
            return self._drain()

    def _drain(self) -> bool:
        if self._closed:
            return False
        waiting = struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"\0" * 4))[0]
        return self._read(max(waiting, 1))

    def _read(self, waiting: int) -> bool:
        # No more than what waited: a thread that prints for ever must not keep us here.
        while waiting > 0:
            try:
                chunk = os.read(self.reader, min(waiting, _CHUNK))
            except BlockingIOError:
                return True
            if not chunk:
                return False
            waiting -= len(chunk)
            self._split(chunk)
        return True

    def _split(self, chunk: bytes) -> None:
        self._partial += chunk
        *lines, rest = bytes(self._partial).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(rest) >= LINE_LIMIT:
            self._emit(rest[:LINE_LIMIT])
            rest = rest[LINE_LIMIT:]
        self._partial[:] = rest

    def line(self, text: str) -> None:
        """A line of the platform, after whatever the function printed before it."""
        with self._lock:
            self._flush()
            self._emit(text.encode())

    def _flush(self) -> None:
        self._drain()
        if self._partial:
            self._emit(bytes(self._partial))
            self._partial.clear()

    def _emit(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LINE_LIMIT):
            piece = line[start : start + LINE_LIMIT]
            self._tail += piece[-TAIL_LIMIT:] + b"\n"
            with suppress(Exception):  # a listener that fails must not stop the function
                self._log(self._name, piece.decode(errors="replace").rstrip("\r").replace("\r", "\n"))
        del self._tail[:-TAIL_LIMIT]

    def begin(self) -> None:
        """Forget the tail: an invocation starts."""
        with self._lock:
            self._flush()
            self._tail.clear()

    def tail(self) -> str:
        """The end of what was logged since `begin`."""
        with self._lock:
            return self._tail.decode(errors="replace")

    def close_writer(self) -> None:
        """Our copy of the end that the function writes to; without it, the pipe ends with the function."""
        os.close(self.writer)

    def close(self) -> None:
        """Pass on the rest, then close."""
        with self._lock:
            self._flush()
            self._closed = True
            os.close(self.reader)


class Platform:
    """Lines that Lambda writes around a function's own, as text or as JSON.

    Text: Developer Guide, "Understanding the Lambda execution environment lifecycle". JSON: "Lambda Telemetry API
    Event schema reference", of its events initStart, initReport when it failed, start and report.
    """

    def __init__(self, spec: FunctionSpec, output: Output) -> None:
        self._spec = spec
        self._write = output.line

    def init_start(self, version: str) -> None:
        """An environment starts; `version` is the interpreter that really runs."""
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": version,
            "functionName": self._spec.physical_name,
            "functionVersion": "$LATEST",
        }
        self._line(f"INIT_START Runtime Version: {version}", "platform.initStart", record)

    def init_failed(self, milliseconds: float, status: str, error_type: str | None) -> None:
        """Its init phase failed; Lambda tries again within the invocation."""
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "status": status,
            "metrics": {"durationMs": round(milliseconds, 2)},
            **({} if error_type is None else {"errorType": error_type}),
        }
        reason = "" if error_type is None else f"\tError Type: {error_type}"
        text = f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: init\tStatus: {status}{reason}"
        self._line(text, "platform.initReport", record)

    def start(self, request_id: str) -> None:
        """An invocation starts."""
        record = {"requestId": request_id, "version": "$LATEST"}
        self._line(f"START RequestId: {request_id} Version: $LATEST", "platform.start", record)

    def report(self, invocation: Invocation, outcome: Outcome) -> None:
        """An invocation ended."""
        if self._spec.json_logs:
            self._line("", "platform.report", self._record(invocation, outcome))
        else:
            self._write(f"END RequestId: {invocation.request_id}")
            self._write("\t".join(self._parts(invocation, outcome)))

    def _record(self, invocation: Invocation, outcome: Outcome) -> dict[str, object]:
        init = invocation.init_ms
        metrics: dict[str, float] = {
            "durationMs": round(invocation.duration_ms, 2),
            "billedDurationMs": invocation.billed_ms,
            "memorySizeMB": self._spec.memory,
            "maxMemoryUsedMB": invocation.max_memory_mb,
            **({} if init is None else {"initDurationMs": round(init, 2)}),
        }
        error = {} if outcome.error_type is None else {"errorType": outcome.error_type}
        return {"requestId": invocation.request_id, "metrics": metrics, "status": outcome.status, **error}

    def _parts(self, invocation: Invocation, outcome: Outcome) -> list[str]:
        parts = [
            f"REPORT RequestId: {invocation.request_id}",
            f"Duration: {invocation.duration_ms:.2f} ms",
            f"Billed Duration: {invocation.billed_ms} ms",
            f"Memory Size: {self._spec.memory} MB",
            f"Max Memory Used: {invocation.max_memory_mb} MB",
        ]
        if invocation.init_ms is not None:
            parts.append(f"Init Duration: {invocation.init_ms:.2f} ms")
        if outcome.crashed:
            parts.append(f"Status: {outcome.status}")
        if outcome.crashed and outcome.status == "error":
            parts.append(f"Error Type: {outcome.error_type}")
        return parts

    def _line(self, text: str, kind: str, record: object) -> None:
        if self._spec.json_logs:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            text = json.dumps({"time": now, "type": kind, "record": record}, separators=(",", ":"))
        self._write(text)
