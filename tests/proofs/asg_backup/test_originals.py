"""What the post's backup does wrong: scenarios that ours passes and the post's own logic, restated, fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from blueprints.local.hosts import end
from tests.asg_backup import originals

from .conftest import Launch, System
from .instance import INSTANCE, Instance, ended
from .interpreted import Interpreted
from .lifecycle import Action
from .orchestration import Scripted, systems_of
from .orchestration import System as Orchestration
from .run_command import State

Holds = Callable[[Callable[[Any], None]], None]
Prepare = Callable[[Instance], None]


# What answers the hook


@dataclass
class Ours:
    """The state machines."""

    system: Orchestration

    def handle(self, action: Action, answers: list[State], **detail: str) -> None:
        """See an action through."""
        self.system.aws.commands.agents[action.instance] = Scripted(answers)
        assert self.system.deliver(self.system.event(action, **detail))[0] == "SUCCEEDED"
        self.system.backup(action)


@dataclass
class Original(Ours):
    """The post's function, and its script, which completes the action as its last step if it gets there."""

    def handle(self, action: Action, answers: list[State], **detail: str) -> None:
        """See an action through, as far as the original does."""
        aws = self.system.aws
        documents = aws.client("ssm").list_documents()["DocumentIdentifiers"]
        if "ASGLogBackup" not in {each["Name"] for each in documents}:
            step = {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": list[str]()}}
            document: dict[str, Any] = {"schemaVersion": "2.2", "description": "-", "mainSteps": [step]}
            document["parameters"] = {}
            content = json.dumps(document)
            aws.client("ssm").create_document(
                Name="ASGLogBackup", DocumentType="Command", DocumentFormat="JSON", Content=content
            )
        agent = aws.commands.agents[action.instance] = Scripted(answers)
        event = self.system.event(action, **detail)
        originals.handler(event, aws.client("ssm"), aws.client("autoscaling"), aws.clock.sleep)
        while agent.answers[0].status == "InProgress" and len(agent.answers) > 1:
            aws.clock.sleep(1)
            agent.answers.pop(0)
        if agent.answers[0].status in ("Success", "Failed") and agent.answers[0].errors != "killed":
            aws.client("autoscaling").complete_lifecycle_action(
                AutoScalingGroupName=action.group,
                LifecycleHookName=action.hook,
                LifecycleActionToken=action.token,
                LifecycleActionResult="CONTINUE",
            )


@pytest.fixture(scope="module")
def aws() -> Iterator[Interpreted]:
    with Interpreted() as made:
        yield made


@pytest.fixture(scope="module")
def orchestration(aws: Interpreted) -> Orchestration:
    return systems_of(aws)()


@pytest.fixture
def answered(orchestration: Orchestration) -> Holds:
    """A scenario: the state machines pass it, the post's function does not."""

    def both(scenario: Callable[[Any], None]) -> None:
        scenario(Ours(orchestration))
        with pytest.raises((AssertionError, orchestration.aws.client("autoscaling").exceptions.ClientError)):
            scenario(Original(orchestration))

    return both


def test_d2_2_a_command_that_is_not_known_yet_is_followed_all_the_same(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        who.system.aws.commands.unknown_looks = 2
        action = who.system.begin()
        who.handle(action, [State("TimedOut")])
        assert action.result == "ABANDON"

    answered(scenario)


def test_d2_3_a_command_that_dies_after_its_start_is_seen(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        action = who.system.begin()
        who.handle(action, [State("InProgress"), State("Failed", 137, "", "killed")])
        assert action.result == "ABANDON"

    answered(scenario)


def test_d2_4_a_backup_that_failed_is_not_called_a_success(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        action = who.system.begin()
        who.handle(action, [State("InProgress"), State("Failed", 1, "", "tar: no room")])
        assert action.result == "ABANDON"

    answered(scenario)


def test_d2_5_what_takes_longer_than_a_heartbeat_is_not_cut_off(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        action = who.system.begin()
        who.handle(action, [*[State("InProgress")] * 45, State("Success", 0)])
        assert action.result == "CONTINUE"

    answered(scenario)


def test_d2_10_an_instance_that_never_answers_holds_nobody_up(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        action = who.system.begin()
        began = who.system.aws.clock.now
        who.handle(action, [State("Pending")])
        assert action.result == "ABANDON"
        assert who.system.aws.clock.now - began < 100

    answered(scenario)


def test_d2_11_a_command_that_is_delayed_is_waited_for(answered: Holds) -> None:
    def scenario(who: Ours) -> None:
        action = who.system.begin()
        who.handle(action, [State("Delayed"), State("InProgress"), State("Success", 0)])
        assert action.result == "CONTINUE"

    answered(scenario)


# What runs on the instance


@pytest.fixture
def stored(system: System, launched: Launch) -> Holds:
    """A scenario about a command on an instance: our script passes it, the post's does not."""

    def ours(prepare: Prepare, folder: str) -> list[str]:
        prepare(instance := launched())
        instance.back_up(folder)
        return system.stored()

    def original(prepare: Prepare, folder: str) -> list[str]:
        prepare(instance := launched())
        values = f"export BACKUPDIRECTORY={folder} S3BUCKET={system.bucket}\n"
        ended(instance.start_script(originals.SCRIPT.replace("\n", f"\n{values}", 1)))
        return system.stored()

    def both(scenario: Callable[[Any], None]) -> None:
        scenario(ours)
        system.empty()
        with pytest.raises(AssertionError):
            scenario(original)

    return both


def known(instance: Instance) -> None:
    """The post's script asks for its id without a token; to see its other defects it is told."""
    instance.environment["KNOWN"] = INSTANCE


def nothing(_: Instance) -> None:
    """An instance as it is."""


def test_d2_4_a_log_that_grows_is_uploaded(stored: Holds) -> None:
    writers: list[Any] = []

    def growing(instance: Instance) -> None:
        known(instance)
        instance.sh("mkdir /srv/logs && head -c 33554432 /dev/urandom > /srv/logs/log")
        writers.append(
            instance.host.start(["sh", "-c", "while sleep 0.01; do echo line; done >> /srv/logs/log"])
        )

    def scenario(run: Any) -> None:
        try:
            assert run(growing, "/srv/logs")
        finally:
            end(writers.pop())

    stored(scenario)


def test_d2_6_a_small_tmp_is_room_enough_and_there_is_a_digest(stored: Holds) -> None:
    def small(instance: Instance) -> None:
        known(instance)
        instance.sh("mkdir /srv/data && head -c 4194304 /dev/urandom > /srv/data/file")
        instance.sh("mount -t tmpfs -o size=1m tmpfs /tmp")

    def scenario(run: Any) -> None:
        assert [each.rpartition(".")[2] for each in run(small, "/srv/data")][1:] == ["json"]

    stored(scenario)


def test_d2_8_an_instance_without_version_1_of_the_metadata_knows_its_id(stored: Holds) -> None:
    def scenario(run: Any) -> None:
        found = run(nothing, "/var/log")
        assert found
        assert all(INSTANCE in each for each in found)

    stored(scenario)


def test_d2_7_the_script_is_one_of_sh(system: System, launched: Launch) -> None:
    instance = launched()
    assert instance.run("BackupDocument", {"BackupDirectories": "/var/log"}, by="dash").status == 0
    system.empty()
    instance.environment["S3BUCKET"] = system.bucket
    done = ended(instance.start_script(originals.BASH, by="dash"))
    assert "Bad substitution" in done.errors
    assert system.stored() == []
