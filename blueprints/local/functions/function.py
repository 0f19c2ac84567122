"""A function and its pool of execution environments."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from . import code
from .folder import Folder
from .invocation import REQUEST_LIMIT, FunctionClosed, Invocation, Job, RequestTooLarge, TooManyRequests
from .logs import Log
from .release import Release
from .spec import FunctionSpec
from .worker import Worker


class Function:
    """Invokes a function as Lambda does, in processes of the current user.

    At most `workers` environments run at once, whatever the reserved concurrency: an invocation beyond them waits,
    one beyond the reserved concurrency is refused. `log(name, line)` is called from several threads, with one line
    at a time for each environment. `credentials` are environment variables such as AWS_ACCESS_KEY_ID.

    Raises BlueprintError when code or packages are unfit.

    Unlike in Lambda, /tmp is the machine's: TMPDIR, and so Python's tempfile, names a folder of each environment's
    own. The code lies in a read-only folder, which root may write to. The interpreter is the one that runs this;
    INIT_START names it. A memory limit needs /proc, and is looked at every 20 ms.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        endpoint_url: str | None,
        log: Log,
        workers: int = 10,
        credentials: Mapping[str, str],
    ) -> None:
        self._endpoint_url = endpoint_url
        self._log = log
        self._limit = workers
        self._credentials = credentials
        self._state = threading.RLock()
        self._waiting: deque[Job] = deque()
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._replaced: set[Release] = set()
        self._in_flight = 0
        self._closed = False
        self._numbers = itertools.count(1)
        self._folder = Folder()
        try:
            code.offer_runtime(self._folder.path / "runtime")
            self._release = self._unpack(spec)
        except BaseException:
            self._folder.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unpack(self, spec: FunctionSpec) -> Release:
        return Release.unpack(
            spec,
            self._folder.path / str(next(self._numbers)),
            runtime=self._folder.path / "runtime",
            endpoint_url=self._endpoint_url,
            credentials=self._credentials,
        )

    def invoke(
        self, event: bytes, *, client_context: bytes | None = None, wait: float | None = None
    ) -> Invocation:
        """Run the handler on an event, a JSON document, and return how that ended. Blocks; may be called by threads.

        `client_context` is JSON too. `wait` bounds the caller's patience in seconds: TimeoutError then, while the
        invocation goes on, as behind API Gateway. Raises RequestTooLarge, TooManyRequests and FunctionClosed.
        """
        if len(event) > REQUEST_LIMIT:
            raise RequestTooLarge(len(event))
        with self._state:
            self._admit()
            job = Job(event, self._release.spec.arn, client_context)
            self._in_flight += 1
            self._waiting.append(job)
        try:
            self._dispatch()
            return job.result.result(wait)
        except BaseException:  # also Ctrl-C, or no process to be had: what still waits must not run later
            self._withdraw(job)
            raise

    def _admit(self) -> None:
        """Developer Guide, "Configuring reserved concurrency for a function": with 0, it never runs."""
        if self._closed:
            raise FunctionClosed
        reserved = self._release.spec.concurrency
        if reserved is not None and self._in_flight >= reserved:
            raise TooManyRequests

    def _withdraw(self, job: Job) -> None:
        with self._state:
            if job in self._waiting:
                self._waiting.remove(job)
                self._in_flight -= 1

    def warm(self) -> None:
        """Start an environment ahead of the first event; returns at once."""
        with self._state:
            if not self._closed and not self._workers:
                self._idle.append(self._worker(None))

    def replace(self, spec: FunctionSpec) -> None:
        """Go on with other code or settings: what runs ends on the old, the next invocation starts cold.

        Raises BlueprintError and keeps the old when the new is unfit, FunctionClosed when it is too late.
        """
        if self._closed:
            raise FunctionClosed
        release = self._unpack(spec)
        with self._state:
            self._replaced.add(self._release)
            self._release = release
            retired, self._idle = self._idle, []
            for worker in retired:
                worker.stop()
            self._discard_old()
            self._dispatch()

    def close(self) -> None:
        """End every process and remove every file. What runs ends as an error, what waits raises FunctionClosed."""
        with self._state:
            already, self._closed = self._closed, True
            waiting, self._waiting = self._waiting, deque()
            workers = list(self._workers)
            for worker in workers:
                worker.stop()
        for job in waiting:
            job.result.set_exception(FunctionClosed())
        for worker in workers:
            worker.join()
        if not already:
            self._folder.close()

    # The rest needs the lock, or takes it.

    def _dispatch(self) -> None:
        """Give what waits to idle environments, the latest first, and start more up to the limit."""
        with self._state:
            while self._waiting:
                if self._idle:
                    if self._idle.pop().assign(self._waiting[0]):
                        self._waiting.popleft()
                elif len(self._workers) < self._limit:
                    self._worker(self._waiting[0])
                    self._waiting.popleft()
                else:
                    return

    def _worker(self, job: Job | None) -> Worker:
        worker = Worker(self._release, self, self._log, job=job)
        self._workers.add(worker)
        return worker

    def finished(self, worker: Worker, job: Job, invocation: Invocation) -> None:
        """For the worker: an invocation ended."""
        with self._state:
            self._in_flight -= 1
            if worker.alive and not self._closed:
                if worker.release is self._release:
                    self._idle.append(worker)
                else:
                    worker.stop()
            self._dispatch()
        # Last, so that a caller that invokes again at once finds this environment free.
        job.result.set_result(invocation)

    def gone(self, worker: Worker, unserved: Job | None) -> None:
        """For the worker: its process has ended. A job that it could not begin is tried once more, in its own time."""
        with self._state:
            self._workers.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            if unserved is not None and not self._closed:
                self._workers.add(Worker(self._release, self, self._log, job=unserved, phase="invoke"))
                unserved = None
            self._discard_old()
            self._dispatch()
        if unserved is not None:
            unserved.result.set_exception(FunctionClosed())

    def _discard_old(self) -> None:
        """Remove the folders of replaced releases that nothing runs from."""
        used = {worker.release for worker in self._workers}
        for release in self._replaced - used:
            self._replaced.remove(release)
            code.remove(release.folder)
