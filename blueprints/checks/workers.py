"""Checkers in Python on every core: processes forked from this one, which share what it has loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def on_every_core(check: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """The results of all jobs, in their order; by this process alone where there is one job, one core or no fork."""
    # Imported here, since a run that finds all in the cache never comes here and should not pay for it.
    import multiprocessing

    workers = min(len(jobs), _cores())
    if workers < 2 or not _can_fork(multiprocessing.get_all_start_methods()):
        return [check(job) for job in jobs]
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        return list(pool.map(check, jobs))


def _cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_fork(methods: Sequence[str]) -> bool:
    """Whether workers can inherit what is loaded. On macOS system libraries may abort a forked child."""
    return sys.platform != "darwin" and "fork" in methods
