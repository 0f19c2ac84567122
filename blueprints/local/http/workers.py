"""Calls with a deadline: Python cannot end a thread, so a call that is late goes on alone and its result is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


class Late(Exception):  # noqa: N818 - says what it is
    """The call had not ended in time."""


class _Job(Generic[_Result]):
    def __init__(self, call: Callable[[], _Result]) -> None:
        self._call = call
        self._ended = threading.Event()
        self._result: _Result | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # whatever it is belongs to the caller's thread
            self._error = error
        self._ended.set()

    def result(self, timeout: float) -> _Result:
        if not self._ended.wait(timeout):
            raise Late
        if self._error is not None:
            raise self._error
        return self._result  # pyright: ignore[reportReturnType] - None only where the call gave None


class _Worker(threading.Thread):
    def __init__(self, done: Callable[[_Worker], None]) -> None:
        super().__init__(daemon=True, name="invoke")
        self._done = done
        self._wanted = threading.Semaphore(0)
        self.job: Callable[[], None] | None = None

    def give(self, job: Callable[[], None] | None) -> None:
        self.job = job
        self._wanted.release()

    def run(self) -> None:
        while True:
            self._wanted.acquire()
            if self.job is None:
                return
            self.job()
            self._done(self)


class Workers:
    """Threads that wait for the next call; as many as there are calls at one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def call(self, call: Callable[[], _Result], timeout: float) -> _Result:
        """Raises Late after `timeout` seconds, or whatever the call raises."""
        job = _Job(call)
        self._worker().give(job.run)
        return job.result(timeout)

    def close(self) -> None:
        """Ends the idle threads now and the busy ones after their call."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for worker in idle:
            worker.give(None)

    def _worker(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        worker = _Worker(self._put_back)
        worker.start()
        return worker

    def _put_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        worker.give(None)
