"""Many containers: real ones by the hundred, and a trace of ten thousand events as fast as the agent reads it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .conftest import Machine, until
from .replay import Daemon, Trace

CALC = ("-e", "SERVICE_8081_NAME=_calc._tcp", "-p", "8081")
_CYCLES, _ALIVE = 500, 40


def held(machine: Machine) -> dict[str, int]:
    """What the agent's process holds: files, threads, memory in KiB."""
    (pid,) = machine.pids()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
        "memory": int(status["VmRSS"].split()[0]),
    }


def calls(machine: Machine) -> list[float]:
    found = machine.aws.calls("route53:ChangeResourceRecordSets")
    return [each.time for each in found if each.principal == machine.name]


def test_five_hundred_starts_and_stops_leave_nothing_and_cost_few_calls(
    agent: Machine, say: Callable[[str], None]
) -> None:
    """At most forty are alive. A lone host may call four times a second."""
    docker = agent.docker
    # Most in the host's network, which Docker has up at once; what is registered is the same.
    published, shared = CALC, (*CALC[:2], "--network", "host")
    containers = [
        docker.run(
            "create",
            *(shared if number % 5 else published),
            "local/busybox:1",
            "/bin/busybox",
            "sleep",
            "999",
        )
        for number in range(_ALIVE)
    ]
    half = [containers[::2], containers[1::2]]

    def together(command: str) -> None:
        def one(some: list[str]) -> str:
            return docker.run(command, *some)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, half))

    together("start")
    agent.wait(lambda: len(agent.records()) == _ALIVE)
    together("kill")
    agent.wait(lambda: agent.records() == [])
    before, made, began = held(agent), len(calls(agent)), time.monotonic()
    for _ in range(_CYCLES // _ALIVE):
        together("start")
        together("kill")
    for each in containers[: _CYCLES % _ALIVE]:
        docker.run("start", each)
    assert len(docker.run("ps", "-q").split()) <= _ALIVE
    agent.wait(lambda: len(agent.records()) == _CYCLES % _ALIVE)
    docker.clear()
    agent.wait(lambda: agent.records() == [])
    seconds, after = time.monotonic() - began, held(agent)
    assert len(calls(agent)) - made <= 4 * seconds + 2
    assert after["files"] <= before["files"] + 1
    assert after["threads"] == before["threads"]
    say(
        f"{_CYCLES} starts and stops in {seconds:.0f} s by {len(calls(agent)) - made} calls; {before} then {after}"
    )


def test_ten_thousand_events_are_kept_up_with(
    machine: Machine, tmp_path: Path, say: Callable[[str], None]
) -> None:
    trace = Trace(10_000)
    assert len(trace.events) > 10_000
    path = machine.docker.socket.parent / "replay.sock"
    daemon = Daemon(trace, path)
    try:
        machine.start("--socket", str(path))
        before, made, began = held(machine), len(calls(machine)), time.monotonic()
        daemon.begin.set()
        expected = set(daemon.ports.values())
        until(lambda: daemon.told.is_set() and {each[1] for each in machine.answers()} == expected)
        seconds, after = time.monotonic() - began, held(machine)
        assert len(machine.records()) == len(trace.left)
        made = len(calls(machine)) - made
        assert made <= 4 * seconds + 2
        assert (after["files"], after["threads"]) == (before["files"], before["threads"])
        say(f"{len(trace.events)} events in {seconds:.1f} s by {made} calls; {before} then {after}")
    finally:
        machine.signal(signal.SIGTERM)
        daemon.close()
        path.unlink()
    assert machine.records() == []
