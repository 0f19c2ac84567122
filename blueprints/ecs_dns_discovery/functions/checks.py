"""Asks tasks whether they are well, and stops those that never answer, in the time that the function has.

A share bounds what one look may stop. It is a share of the tasks that could be asked: what there was no time for is
neither well nor failing.
"""

from __future__ import annotations

import http.client
import logging
import random
import re
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from health import Owned

_CHECK = re.compile(r"SERVICE_(\d+)_CHECK")
_HOW = re.compile(r"tcp|http:/[!-~]*")  # other letters go into no request
_GRACE = timedelta(minutes=2)  # in which a task may start without being asked
_ATTEMPTS, _PATIENCE, _PAUSE = 3, 2.0, 5.0
_AT_ONCE = 64
_FOR_STOPS, _FOR_WORDS = 20.0, 5.0  # seconds that are kept for stopping tasks, and for saying what was done


class Probe(NamedTuple):
    """A task's port that wants to be asked: `how` is `http:/path` or `tcp`."""

    cluster: str
    task: str
    address: str
    port: int
    how: str


def checked(
    ecs: Any,
    asked: list[Probe],
    percent: int,
    ask: Callable[[Probe], bool],
    sleep: Callable[[float], None],
    left: Callable[[], float],
) -> dict[str, int]:
    """Stop tasks that have not answered again and again, unless there are so many that the fault is elsewhere.

    `left` are the seconds that remain.
    """
    failing, unasked = _verdicts(asked, ask, sleep, left)
    tasks = len(_tasks(asked) - unasked)
    told = {"checked": tasks, "failing": len(failing), "stopped": 0, "unasked": len(unasked)}
    if unasked:
        logging.getLogger().warning("%d tasks could not be asked in time; the next look asks", len(unasked))
    if len(failing) > tasks * percent // 100:
        logging.getLogger().error("%d of %d tasks fail; none is stopped", len(failing), tasks)
        return told
    for cluster, task in sorted(failing):
        if left() < _FOR_WORDS:
            logging.getLogger().warning(
                "%d of %d failing tasks were stopped in time", told["stopped"], len(failing)
            )
            break
        ecs.stop_task(cluster=cluster, task=task, reason="Service Discovery Health Check failed")
        told["stopped"] += 1
    return told


def _verdicts(
    asked: list[Probe],
    ask: Callable[[Probe], bool],
    sleep: Callable[[float], None],
    left: Callable[[], float],
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The tasks with a port that has not answered in any attempt, and those with one that was left out of one."""
    # By chance, so that those who come too late are others each time, and those who do not are like all.
    silent = random.sample(asked, len(asked))
    unasked: set[tuple[str, str]] = set()
    for more in reversed(range(_ATTEMPTS)):
        # Equal parts, so that who fails once can be asked again.
        said = _attempt(silent, ask, (left() - _FOR_STOPS - more * _PAUSE) / (more + 1))
        unasked |= _tasks(each for each in silent if each not in said)
        silent = [each for each in silent if said.get(each) is False]
        if not silent:
            break
        if more:
            sleep(_PAUSE)
    failing = _tasks(silent)
    return failing, unasked - failing


def _attempt(asked: list[Probe], ask: Callable[[Probe], bool], seconds: float) -> dict[Probe, bool]:
    """Who answers and who does not, of those that can be asked in this time."""
    last = time.monotonic() + seconds - 2 * _PATIENCE  # to connect, and to hear

    def once(probe: Probe) -> bool | None:
        return ask(probe) if time.monotonic() < last else None

    pool = ThreadPoolExecutor(_AT_ONCE)
    futures = {pool.submit(once, each): each for each in asked}
    done, _ = wait(futures, max(seconds, 0))
    pool.shutdown(wait=False, cancel_futures=True)  # an answer that comes byte by byte has no end of its own
    said = {futures[each]: each.result() for each in done}
    return {each: well for each, well in said.items() if well is not None}


def _tasks(probes: Iterable[Probe]) -> set[tuple[str, str]]:
    return {(each.cluster, each.task) for each in probes}


def probes(ecs: Any, records: list[Owned], tasks: Iterable[dict[str, Any]], now: datetime) -> list[Probe]:
    """What wants to be asked and has had time to start, where the agents' own records say that it is."""
    addresses = {each.record["Name"].rstrip("."): _value(each) for each in records if not each.port}
    wishes: dict[str, dict[str, dict[str, str]]] = {}
    found: list[Probe] = []
    for task in tasks:
        if task["lastStatus"] != "RUNNING" or now - task["startedAt"] < _GRACE:
            continue
        definition = task["taskDefinitionArn"]
        if definition not in wishes:
            wishes[definition] = _wishes(ecs, definition)
        for container in task["containers"]:
            wanted = wishes[definition].get(container["name"], {})
            for each in records:
                if each.port and each.container == container.get("runtimeId") and each.port in wanted:
                    _, _, port, target = _value(each).split()
                    where = addresses.get(target.rstrip("."), "")
                    how = wanted[each.port]
                    found.append(Probe(task["clusterArn"], task["taskArn"], where, int(port), how))
    return [each for each in found if each.address]


def _wishes(ecs: Any, definition: str) -> dict[str, dict[str, str]]:
    """Container -> port -> how it wants to be asked; what says nothing, or `none`, is not asked."""
    described = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    return {
        container["name"]: {
            port[1]: each["value"]
            for each in container.get("environment", ())
            if (port := _CHECK.fullmatch(each["name"])) and _HOW.fullmatch(each["value"])
        }
        for container in described["containerDefinitions"]
    }


def _value(owned: Owned) -> str:
    return str(owned.record["ResourceRecords"][0]["Value"])


def answers(probe: Probe) -> bool:
    """Whether it answers as it should, once."""
    try:
        if probe.how == "tcp":
            socket.create_connection((probe.address, probe.port), _PATIENCE).close()
            return True
        connection = http.client.HTTPConnection(probe.address, probe.port, timeout=_PATIENCE)
        try:
            connection.request("GET", probe.how.removeprefix("http:"))
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
