"""All of it together: an event, both state machines, a command on an instance, and its files in the bucket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blueprints.local.hosts import Network

from .instance import Instance, ended, launch
from .interpreted import Interpreted
from .orchestration import SEND, SHORT, System, systems_of
from .run_command import State


@dataclass
class OnHost:
    """An agent on an emulated host: it runs what it is sent."""

    instance: Instance
    process: Any = None

    def begin(self, script: str) -> None:
        self.process = self.instance.start_script(script)

    def look(self) -> State:
        if self.process.poll() is None:
            return State("InProgress")
        done = ended(self.process)
        return State("Success" if done.status == 0 else "Failed", done.status, done.output, done.errors)

    def cancel(self) -> None:
        self.process.terminate()


def test_from_the_event_to_the_bucket_although_the_first_attempt_is_killed(
    network: Network, cli: Path
) -> None:
    """The state machine's command runs on an instance, and the agent loses it once."""
    with Interpreted(network.gateway) as aws:
        backed_up(systems_of(aws)(timing=SHORT | {"deadline_minutes": 10, "poll_seconds": 5}), network, cli)


def backed_up(system: System, network: Network, cli: Path) -> None:
    system.aws.clock.pace = 0.1
    action = system.begin()
    documents = {"BackupDocument": system.stack.document("BackupDocument")}
    role = system.ref("InstanceRole")
    instance = launch(network, system.aws, documents, cli, role=role, instance=action.instance)
    agent = system.aws.commands.agents[action.instance] = OnHost(instance)
    begin = agent.begin

    def killed(script: str) -> None:
        begin(script)
        agent.process.kill()
        agent.begin = begin

    agent.begin = killed
    assert system.deliver(system.event(action))[0] == "SUCCEEDED"
    assert (system.backup(action)[0], system.completed()) == ("SUCCEEDED", ["CONTINUE"])
    (told,) = system.told()
    report = json.loads(told["output"])
    assert (told["outcome"], report["outcome"], report["group"]) == ("complete", "complete", system.group)
    assert len(system.calls(SEND)) == 2
    key = f"backups/{system.group}/2026/11/26/{action.instance}-{action.token}.tar"
    held = system.aws.client("s3").list_objects_v2(Bucket=system.ref("Bucket"))
    assert [each["Key"].partition(".tar")[0] + ".tar" for each in held["Contents"]] == [key, key]
