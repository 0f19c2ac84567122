"""`join` takes a place in the cluster and ends when the files are there; `run` keeps it; `log` ships the boot's log."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from . import aws, hooks, log, machine
from .cycle import Cycle
from .files import Files
from .registry import Member, Registry


def main(command: str, *arguments: str) -> None:
    """Do it, with the settings of /etc/deeplearning/agent.env, or of the boot, in the environment."""
    if command == "log":
        log.ship(aws.call, Path(os.environ["LOG"]), os.environ["LOG_GROUP"], *arguments)
        return
    files, facts = Files(Path("/"), os.environ["STORAGE_MOUNT"]), machine.facts(aws.call)

    def publish(epoch: int, slot: int, members: list[Member]) -> None:
        changed = files.publish(epoch, slot, members)
        say(f"epoch {epoch}: {len(members)} nodes{'' if changed else ', as before'}")
        if changed:
            hooks.tell("change", str(files.current.resolve()))

    cycle = Cycle(
        Registry(aws.call, os.environ["TABLE"], facts),
        facts,
        master=os.environ["NODE_TYPE"] == "Master",
        nodes=int(os.environ["NODES"]) + 1,
        period=float(os.environ["PERIOD"]),
        clock=time.monotonic,
        publish=publish,
        log=say,
    )
    if command == "join":
        while not cycle.step():
            time.sleep(cycle.pause())
        return
    noticed = ""
    while True:
        cycle.step()
        noticed = listen(noticed)
        time.sleep(cycle.pause())


def listen(noticed: str) -> str:
    """Tell the hooks of a Spot notice, once; the notice."""
    try:
        notice = machine.metadata("spot/instance-action")
    except OSError as error:
        say(f"no metadata: {error}")
        return noticed
    if notice and notice != noticed:
        hooks.tell("spot-notice", notice)
    return notice


def say(line: str) -> None:
    """One line for the log."""
    print(line, flush=True)  # noqa: T201 - the journal reads it


if __name__ == "__main__":
    main(*sys.argv[1:])
