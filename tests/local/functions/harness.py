"""What the tests of this folder need to run functions and to look at their processes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from blueprints.local.functions import Function, FunctionSpec, Invocation, from_inline

# About ten times what any of this takes; it only ends a hang.
DEADLINE = 20.0


def running(name: str) -> list[int]:
    """Processes that belong to a function, by the name in their environment."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            variables = (process / "environ").read_bytes().split(b"\0")
            if f"AWS_LAMBDA_FUNCTION_NAME={name}".encode() in variables:
                found.append(int(process.name))
    return found


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes true before the deadline."""
    end = time.monotonic() + DEADLINE
    while not (now := holds()) and time.monotonic() < end:
        time.sleep(0.005)
    return now


class Running:
    """A function under test and what it logged."""

    def __init__(self, spec: FunctionSpec, workers: int, endpoint_url: str | None) -> None:
        self.spec = spec
        self.lines: list[str] = []
        credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "secret"}
        self.function = Function(
            spec, endpoint_url=endpoint_url, log=self._log, workers=workers, credentials=credentials
        )

    def _log(self, name: str, line: str) -> None:
        assert name == self.spec.name
        self.lines.append(line)

    def __call__(self, event: Any = None, **options: Any) -> Invocation:
        """Invoke with a value."""
        return self.function.invoke(json.dumps(event).encode(), **options)

    def value(self, event: Any = None) -> Any:
        """What the handler returned; it must have succeeded."""
        ended = self(event)
        assert (ended.error, ended.status) == (None, "success"), ended.payload
        return json.loads(ended.payload)

    def error(self, event: Any = None) -> dict[str, Any]:
        """The error that the invocation ended with."""
        ended = self(event)
        assert ended.error == "Unhandled", ended.payload
        return json.loads(ended.payload)

    def replace(self, code: str, **settings: Any) -> None:
        """Give it other code."""
        self.function.replace(replace(self.spec, code=from_inline(code), **settings))

    def processes(self) -> list[int]:
        """Ids of its processes."""
        return running(self.spec.physical_name)

    def gone(self) -> bool:
        """Whether no process is left, once the kernel has had the time to end those that were killed."""
        return eventually(lambda: self.processes() == [])


class Call:
    """An invocation in a thread of its own."""

    def __init__(self, target: Running, event: Any = None) -> None:
        self.outcome: Invocation | Exception | None = None
        self._target, self._event = target, event
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._target(self._event)
        except Exception as error:
            self.outcome = error

    def end(self) -> Invocation | Exception:
        """How it ended."""
        self._thread.join(DEADLINE)
        assert self.outcome is not None, "the invocation hangs"
        return self.outcome

    def payload(self) -> Any:
        """What it returned, from JSON."""
        ended = self.end()
        assert isinstance(ended, Invocation), ended
        return json.loads(ended.payload)


Start = Callable[..., Running]
