"""`join` takes a place in the cluster and ends when the files are there; `run` keeps it; `log` ships the boot's log.

`check` looks at all nodes, each of which answers by `probe`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import aws, check, hooks, log, machine
from .capacity import Capacity
from .cycle import Cycle
from .files import Files
from .registry import Registry
from .upkeep import Upkeep

if TYPE_CHECKING:
    from .registry import Member


def main(command: str, *arguments: str) -> None:
    """Do it, with the settings of /etc/deeplearning/agent.env, or of the boot, in the environment."""
    if command == "log":
        log.ship(aws.call, Path(os.environ["LOG"]), os.environ["LOG_GROUP"], *arguments)
        return
    if command == "probe":
        check.probe()
        return
    if command == "check":
        sys.exit(check.check(aws.call))
    files, facts = Files(Path("/"), os.environ["STORAGE_MOUNT"]), machine.facts(aws.call)

    def publish(epoch: int, slot: int, members: list[Member]) -> None:
        changed = files.publish(epoch, slot, members)
        say(f"epoch {epoch}: {len(members)} nodes{'' if changed else ', as before'}")
        if changed:
            hooks.tell("change", str(files.current.resolve()))

    master, period = os.environ["NODE_TYPE"] == "Master", float(os.environ["PERIOD"])
    registry, cluster = Registry(aws.call, os.environ["TABLE"], facts), os.environ["CLUSTER"]
    care, wishes = None, os.environ["UPKEEP"]
    if wishes:
        from .care import Care

        count, of = machine.of_type(facts.Type, aws.call), {"Cluster": cluster, "InstanceId": facts.Node}
        care = Care(wishes, aws.call, registry, of, gpus=count, master=master, clock=time.monotonic, log=say)
    upkeep = Upkeep(Capacity(aws.call, registry, cluster), care, period, time.monotonic, say)
    cycle = Cycle(
        registry,
        facts,
        master=master,
        nodes=int(os.environ["NODES"]) + 1,
        period=period,
        clock=time.monotonic,
        publish=publish,
        watched=upkeep.watched,
        log=say,
    )
    if command == "join":
        while not cycle.step():
            time.sleep(cycle.pause())
        return
    upkeep.start()
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
    print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
