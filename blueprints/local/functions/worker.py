"""One execution environment: a process with the runtime client, and the thread that keeps it.

Developer Guide, "Understanding the Lambda execution environment lifecycle". The keeper starts the process and stays
until it has ended, because the kernel binds a child's life to the thread that started it.
"""

from __future__ import annotations

import math
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from . import code, environment
from .invocation import Invocation, Job, Outcome, exited, raised, returned, timed_out
from .logs import Log, Output, Platform
from .process import Process
from .release import Release
from .runtime_api import ProtocolError, RuntimeApi
from .watch import TICK, Watch

# The init phase of an on-demand environment lasts ten seconds at most, then it is tried again within the invocation
# and under the function's own limit.
INIT_LIMIT = 10.0

Phase = Literal["init", "invoke"]


class Pool(Protocol):
    """Who owns environments. Called from their threads, never while they hold a lock."""

    def finished(self, worker: Worker, job: Job, invocation: Invocation) -> None:
        """An invocation ended; the worker takes another if it is alive."""
        ...

    def gone(self, worker: Worker, unserved: Job | None) -> None:
        """The process has ended; the init phase failed before this job was served."""
        ...


class Worker:
    """Runs one invocation at a time, until its process ends or `stop` is called.

    `phase` is "invoke" for the second attempt at an init phase that failed: it belongs to the invocation of `job`.
    """

    def __init__(
        self, release: Release, pool: Pool, log: Log, *, job: Job | None, phase: Phase = "init"
    ) -> None:
        self.release = release
        self._spec = release.spec
        self._pool = pool
        self._phase: Phase = phase
        self._changed = threading.Condition()
        self._job = job
        self._begun: float | None = None  # when the job was handed over
        self._answer: Outcome | None = None
        self._served = 0
        self._init_begun = time.monotonic()
        self._init_ms: float | None = None  # known once the runtime has asked for its first event
        self._process: Process | None = None
        self._looked = 0.0
        self._stopping = False
        self._ended = False
        self._output = Output(self._spec.name, log)
        self._platform = Platform(self._spec, self._output)
        self._watch = Watch(self._output)
        self._temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=release.folder))
        self._api = RuntimeApi(self)
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {self._spec.name}", daemon=True)
        self._keeper.start()

    # What the pool calls.

    @property
    def alive(self) -> bool:
        """Whether it can take a job."""
        return not self._ended and not self._stopping

    def assign(self, job: Job) -> bool:
        """Give an idle worker its next job. False when its process died in the meantime."""
        with self._changed:
            if not self.alive or (self._process is not None and self._process.status is not None):
                return False
            self._job = job
            self._changed.notify_all()
            return True

    def stop(self) -> None:
        """Have the process ended, by SIGTERM and soon after by SIGKILL; returns at once."""
        with self._changed:
            if self.alive:
                self._stopping = True
                self._watch.rouse()

    def join(self) -> None:
        """Wait until the process has ended and everything of it is gone."""
        self._keeper.join()

    # What the runtime calls, over HTTP.

    def next(self, listening: Callable[[], bool]) -> Job | None:
        """The runtime has nothing to do: its init phase or an invocation ended. Wait for the next event."""
        with self._changed:
            first = self._init_ms is None
            if first:
                self._init_ms = (time.monotonic() - self._init_begun) * 1000
            elif self._answer is None and self._begun is not None:
                raise ProtocolError(403, "InvalidStateTransition", "the invocation has no response yet")
        if not first:
            self._finish()
        return self._take_over(listening)

    def _take_over(self, listening: Callable[[], bool]) -> Job | None:
        with self._changed:
            while self._job is None and not self._ended:
                self._changed.wait()
            if self._job is None or self._ended or not listening():
                return None
            job = self._job
            begun_at_start = self._begun is not None
            if not begun_at_start:
                self._begin(job, time.monotonic())
            self._watch.rouse()
        if not begun_at_start:
            self._output.begin()
            self._platform.start(job.request_id)
        return job

    def _begin(self, job: Job, now: float) -> None:
        self._begun = now
        job.deadline_ms = int((time.time() + self._spec.timeout) * 1000)

    def answer(self, request_id: str, payload: bytes, *, failed: bool) -> None:
        """The handler returned or raised."""
        with self._changed:
            if self._job is None or self._begun is None or self._job.request_id != request_id:
                raise ProtocolError(400, "InvalidRequestID", "Invalid request ID")
            if self._answer is not None:
                raise ProtocolError(403, "InvalidStateTransition", "the invocation has a response already")
            self._answer = raised(payload, request_id) if failed else returned(payload)

    def fail_init(self, payload: bytes) -> None:
        """The module or the handler could not be loaded; the runtime exits after this."""
        with self._changed:
            self._answer = raised(payload, self._job.request_id if self._job else "")

    # The keeper's thread.

    def _keep(self) -> None:
        if self._phase == "init":
            self._platform.init_start(f"python:{platform.python_version()}")
        elif self._job is not None:
            self._output.begin()
            self._platform.start(self._job.request_id)
            self._begin(self._job, self._init_begun)
        try:
            process = self._start()
        except OSError as error:  # no process, no memory
            self._output.line(f"the runtime cannot be started: {error}")
            self._close(1)
            return
        finally:
            self._output.close_writer()
        while (status := process.status) is None:
            with self._changed:
                idle = self._init_ms is not None and self._job is None and not self._stopping
            self._watch.wait(idle=idle)
            self._enforce(process)
        process.end_group()
        self._close(status)

    def _start(self) -> Process:
        process = Process(
            self._spec.handler,
            variables={**self.release.variables, **environment.of_worker(self._api.address, self._temporary)},
            folder=self.release.task_root,
            output=self._output.writer,
        )
        with self._changed:
            self._process = process
        return process

    def _enforce(self, process: Process) -> None:
        now = time.monotonic()
        if now < self._looked + TICK:  # much output must not mean much looking
            return
        self._looked = now
        with self._changed:
            stopping, job, begun = self._stopping, self._job, self._begun
            if self._init_ms is None and self._phase == "init":
                expired = now > self._init_begun + INIT_LIMIT
            else:
                expired = begun is not None and now > begun + self._spec.timeout
        request_id = job.request_id if job else ""
        if stopping:
            process.terminate()
        elif expired:
            self._condemn(process, job, begun, timed_out(request_id, self._spec.timeout))
        elif (job or self._init_ms is None) and process.exceeds(self._spec.memory):
            self._condemn(process, job, begun, exited(request_id, -signal.SIGKILL))

    def _condemn(self, process: Process, job: Job | None, begun: float | None, outcome: Outcome) -> None:
        """Kill the process for what it did, unless that ended and something else began while we looked."""
        with self._changed:
            if self._job is not job or self._begun != begun:
                return
            if self._answer is None:
                self._answer = outcome
            process.kill()

    def _close(self, status: int) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            if self._answer is None:
                self._answer = exited(self._job.request_id if self._job else "", status)
            failed_init = self._init_ms is None and self._phase == "init"
            # A job that the runtime never saw is not lost: another environment takes it.
            unserved = self._job if self._begun is None else None
        if failed_init and not self._stopping:
            duration = (time.monotonic() - self._init_begun) * 1000
            kind = None if self._answer.status == "timeout" else self._answer.error_type
            self._platform.init_failed(duration, self._answer.status, kind)
        if unserved is None:
            self._finish()
        self._api.close()
        self._output.close()
        self._watch.close()
        code.remove(self._temporary)
        self._pool.gone(self, unserved)

    # Either thread: whichever is first reports the invocation's end.

    def _finish(self) -> None:
        with self._changed:
            job, begun, outcome = self._job, self._begun, self._answer
            if job is None or begun is None or outcome is None:
                return
            self._job = self._begun = self._answer = None
            self._served += 1
        duration = (time.monotonic() - begun) * 1000
        invocation = self._report(job, outcome, duration)
        self._pool.finished(self, job, invocation)

    def _report(self, job: Job, outcome: Outcome, duration: float) -> Invocation:
        cold = self._served == 1
        init = self._init_ms if cold and self._phase == "init" else None
        used = 0 if self._process is None else self._process.used()
        invocation = Invocation(
            request_id=job.request_id,
            payload=outcome.payload,
            error=None if outcome.status == "success" else "Unhandled",
            status=outcome.status,
            duration_ms=duration,
            billed_ms=math.ceil(duration + (init or 0)),
            init_ms=init,
            max_memory_mb=min(used, self._spec.memory),
            cold=cold,
            log_tail="",
        )
        self._platform.report(invocation, outcome)
        return replace(invocation, log_tail=self._output.tail())
