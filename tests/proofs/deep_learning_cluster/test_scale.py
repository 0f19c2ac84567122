"""A thousand nodes: the delivered agent's own functions over a table in memory and a clock that is given.

Nothing waits: the clock jumps from one node's step to the next. Each node has a clock of its own, which is off by up
to a day; some pause, some die, calls fail.
"""

from __future__ import annotations

import base64
import gc
import heapq
import importlib
import lzma
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .cluster import figure, rendered
from .conftest import CONFIG, PARAMETERS

NODES = 1000
DRAW = random.Random(7)  # noqa: S311 - the same each time
PERIOD = 15.0


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The agent's modules, from the parameters of a rendered template."""
    stack = rendered(tmp_path_factory.mktemp("scale"), CONFIG, PARAMETERS)
    names = sorted(name for name in stack.resources() if name.startswith("Runtime"))
    text = "".join(stack.get(name, "Properties.Value") for name in names)
    folder = tmp_path_factory.mktemp("lib")
    program = lzma.decompress(base64.b85decode(text.translate({44: "{", 46: "}"})))
    subprocess.run([sys.executable, "-c", program.decode(), folder], check=True)
    sys.path.insert(0, str(folder))
    try:
        importlib.import_module("agent.cycle")
        importlib.import_module("agent.files")
        yield importlib.import_module("agent")
    finally:
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.partition(".")[0] == "agent"]:
            del sys.modules[name]


class RefusedError(Exception):
    """A condition that does not hold."""


class Items:
    """A table's items by slot, and the expressions that the agent writes; as moto has them, only faster."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def update(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """One update: the item before and after. Raises RefusedError."""
        key, names = request["Key"], request["ExpressionAttributeNames"]
        values = request["ExpressionAttributeValues"]
        old = self.items.get(key["Slot"]["S"], {})
        if "ConditionExpression" in request and not self._holds(
            request["ConditionExpression"], old, names, values
        ):
            raise RefusedError
        new = {**key, **old}
        change = request["UpdateExpression"]
        for name, value in re.findall(r"(#\w+) = (:\w+)", change):
            new[names[name]] = values[value]
        for name in re.findall(r"REMOVE (#\w+)", change):
            new.pop(names[name], None)
        for name, value in re.findall(r"ADD (#\w+) (:\w+)", change):
            new[names[name]] = {
                "N": str(int(new.get(names[name], {"N": "0"})["N"]) + int(values[value]["N"]))
            }
        self.items[key["Slot"]["S"]] = new
        return old, new

    @staticmethod
    def _holds(condition: str, item: dict[str, Any], names: dict[str, str], values: dict[str, Any]) -> bool:
        text = re.sub(
            r"attribute_not_exists\((#\w+)\)", lambda found: repr(names[found[1]] not in item), condition
        )
        text = re.sub(
            r"(#\w+) = (:\w+)", lambda found: repr(item.get(names[found[1]]) == values[found[2]]), text
        )
        return bool(eval(text.replace("AND", "and").replace("OR", "or")))  # noqa: S307 - of True, False and these words


class Table:
    """The registry, as the agent's calls reach it."""

    def __init__(self, agent: Any) -> None:
        self._agent, self._items = agent, Items()
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.failing = 0.0

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One call of the AWS CLI, which tries each three times, or CallError where all of them fail."""
        with self._lock:
            self.calls[operation] += 1
            if all(DRAW.random() < self.failing for _ in range(3)):
                raise self._agent.aws.CallError(f"{operation}: injected")
            if operation == "dynamodb scan":
                return {"Items": list(self._items.items.values())}
            if operation == "dynamodb get-item":
                found = self._items.items.get(request["Key"]["Slot"]["S"])
                return {"Item": found} if found else {}
            try:
                old, new = self._items.update(request)
            except RefusedError as error:
                raise self._agent.aws.RefusedError("refused") from error
            return {"Attributes": {"ALL_OLD": old, "ALL_NEW": new, "NONE": {}}[request["ReturnValues"]]}

    def holders(self) -> dict[int, str]:
        """Who has each slot."""
        return {int(slot): each["Node"]["S"] for slot, each in self._items.items.items() if slot != "epoch"}


class Instance:
    """One node: its agent, and a clock that is off."""

    def __init__(self, world: World, name: str, master: bool) -> None:
        agent, self.name = world.agent, name
        facts = agent.registry.Facts(
            name,
            f"10.0.{len(world.nodes) // 250}.{len(world.nodes) % 250}",
            "ssh-ed25519 K",
            "g6.xlarge",
            1,
            0,
        )
        skew, drift = DRAW.uniform(0, 86_400), DRAW.uniform(0.999, 1.001)
        self.known: frozenset[str] = frozenset()
        self.heard: list[str] = []
        self.epoch = self.content = -1
        self.asleep_until = 0.0
        self.cycle = agent.cycle.Cycle(
            agent.registry.Registry(world.table.call, "registry", facts),
            facts,
            master=master,
            nodes=NODES,
            period=PERIOD,
            clock=lambda: skew + drift * world.now,
            publish=self.publish,
            log=self.heard.append,
        )

    def publish(self, epoch: int, slot: int, members: list[Any]) -> None:
        """Instead of files: what would stand in them, and one number for all of it."""
        self.epoch, self.known = epoch, frozenset(each.facts.Node for each in members)
        self.content = hash((epoch, *((each.slot, each.facts) for each in members)))


class World:
    """All nodes, in the order of time."""

    def __init__(self, agent: Any) -> None:
        self.agent, self.table = agent, Table(agent)
        self.now = 0.0
        self.nodes: dict[str, Instance] = {}
        self._steps: list[tuple[float, int, Instance]] = []
        self._made = 0

    def launch(self, count: int, within: float, master: bool = False) -> list[str]:
        """So many nodes, that begin at random within some seconds."""
        names: list[str] = []
        for _ in range(count):
            self._made += 1
            name = f"i-{self._made:05d}"
            self.nodes[name] = Instance(self, name, master)
            heapq.heappush(self._steps, (self.now + DRAW.uniform(0, within), self._made, self.nodes[name]))
            names.append(name)
        return names

    def run(self, holds: Callable[[], bool], periods: float) -> float:
        """Go on until something holds, looking once a period; seconds of the simulated clock. Fails after `periods`."""
        began, look = self.now, self.now + PERIOD / 3
        while self.now - began < periods * PERIOD:
            self.now, order, node = heapq.heappop(self._steps)
            if node.name not in self.nodes:
                continue
            if self.now >= node.asleep_until:
                node.cycle.step()
            heapq.heappush(self._steps, (self.now + node.cycle.pause(), order, node))
            if self.now >= look:
                if holds():
                    return self.now - began
                look = self.now + PERIOD / 3
        raise AssertionError(f"does not hold after {periods} periods")

    def wait(self, periods: float) -> None:
        """Let time pass."""
        until = self.now + periods * PERIOD
        self.run(lambda: self.now >= until, periods + 2)

    def agree(self, names: set[str]) -> bool:
        """Whether every one of these nodes lists exactly all of them, with one epoch."""
        if len({self.nodes[name].content for name in names}) > 1:
            return False
        return self.nodes[next(iter(names))].known == frozenset(names)


@pytest.fixture(scope="module", autouse=True)
def uncollected() -> Iterator[None]:
    """Millions of members come and go, none in a cycle; to look for cycles takes half the time."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def world(agent: Any) -> World:
    """A thousand nodes that have formed a cluster."""
    made = World(agent)
    made.launch(1, 1, master=True)
    made.launch(NODES - 1, 60)
    began = time.monotonic()
    seconds = made.run(lambda: made.agree(set(made.nodes)), 20)
    took = time.monotonic() - began
    figure(f"{NODES} nodes that boot within 60 s agree after {seconds:.0f} s, computed in {took:.0f} s")
    figure(f"their calls: {dict(made.table.calls)}")
    return made


def unique(world: World) -> None:
    """Every slot is held by one node, and nobody believes to have another."""
    holders = world.table.holders()
    assert sorted(holders) == list(range(1, NODES + 1))
    assert len(set(holders.values())) == NODES
    for slot, name in holders.items():
        if name in world.nodes:
            assert world.nodes[name].cycle.slot == slot


def test_the_table_in_memory_does_what_motos_does(agent: Any) -> None:
    """The requests of four nodes, in an order that is drawn, to both."""
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws

    with mock_aws():
        boto: Any = boto3
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto.client("dynamodb", region_name="us-east-1", **keys)
        key = {"AttributeName": "Slot"}
        client.create_table(
            TableName="registry", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{**key, "KeyType": "HASH"}], AttributeDefinitions=[{**key, "AttributeType": "S"}],
        )  # fmt: skip
        memory, seen = Items(), Counter[str]()

        def both(operation: str, request: dict[str, Any]) -> dict[str, Any]:
            if operation == "dynamodb scan":
                return {"Items": list(memory.items.values())}
            if operation == "dynamodb get-item":
                return {"Item": memory.items.get(request["Key"]["Slot"]["S"], {})}
            try:
                told = client.update_item(**request).get("Attributes", {})
            except ClientError:
                with pytest.raises(RefusedError):
                    memory.update(request)
                seen["refused"] += 1
                raise agent.aws.RefusedError("refused") from None
            old, new = memory.update(request)
            assert told == {"ALL_OLD": old, "ALL_NEW": new, "NONE": {}}[request["ReturnValues"]]
            seen["done"] += 1
            return {"Attributes": told}

        nodes = [
            agent.registry.Facts(f"i-{n}", f"10.0.0.{n}", "ssh-ed25519 K", "g6.xlarge", 1, 0)
            for n in range(4)
        ]
        registries = [agent.registry.Registry(both, "registry", each) for each in nodes]
        for _ in range(300):
            registry, slot = DRAW.choice(registries), DRAW.randrange(1, 4)
            held = {each.slot: each for each in registry.members()}
            verb = DRAW.choice(["claim", "claim_held", "beat", "expel", "round"])
            if verb == "claim":
                registry.claim(slot)
            elif verb == "claim_held" and slot in held:
                registry.claim(
                    slot,
                    held[slot] if DRAW.random() < 0.5 else agent.registry.Member(slot, held[slot].facts, 0),
                )
            elif verb == "beat":
                registry.beat(slot)
            elif verb == "expel" and slot in held:
                registry.expel(held[slot])
            elif verb == "round":
                registry.round()
        assert min(seen["done"], seen["refused"]) > 50
        listed = {each["Slot"]["S"]: each for each in client.scan(TableName="registry")["Items"]}
        assert listed == memory.items


def test_they_agree_and_no_index_is_held_twice(world: World) -> None:
    unique(world)
    assert world.table.holders()[1] == "i-00001"


def test_two_calls_a_node_and_a_period_when_nothing_changes(world: World) -> None:
    world.table.calls.clear()
    world.wait(8)
    per_second = {name: count / (8 * PERIOD) for name, count in world.table.calls.items()}
    figure(f"calls a second of {NODES} nodes when nothing changes: {per_second}")
    assert world.table.calls["dynamodb scan"] <= 11
    assert sum(world.table.calls.values()) <= 1.3 * (2 * NODES * 8)


def test_replacements_take_the_indices_of_the_dead(world: World) -> None:
    before = world.table.holders()
    dead = {slot: name for slot, name in before.items() if slot % 20 == 2}
    for name in dead.values():
        del world.nodes[name]
    alone = world.run(lambda: world.agree(set(world.nodes)), 12)
    new = world.launch(len(dead), 5)
    joined = world.run(lambda: world.agree(set(world.nodes)), 12)
    figure(
        f"{len(dead)} dead are out of every list after {alone:.0f} s; replacements in all {joined:.0f} s after launch"
    )
    unique(world)
    after = world.table.holders()
    assert {slot for slot, name in after.items() if name in new} == set(dead)
    assert {slot: name for slot, name in after.items() if slot not in dead} == {
        slot: name for slot, name in before.items() if slot not in dead
    }


def test_paused_nodes_come_back_as_themselves_while_calls_fail(world: World) -> None:
    before = world.table.holders()
    paused = [name for slot, name in before.items() if slot % 50 == 3]
    for name in paused:
        world.nodes[name].asleep_until = world.now + 10 * PERIOD
    world.table.failing = 0.2
    rest = set(world.nodes) - set(paused)
    world.run(lambda: world.agree(rest), 10)
    world.run(lambda: world.agree(set(world.nodes)), 20)
    world.table.failing = 0.0
    unique(world)
    assert world.table.holders() == before


def test_an_outage_of_the_table_costs_nobody_a_place(world: World) -> None:
    world.table.failing = 1.0
    world.wait(20)
    world.table.failing = 0.0
    known = world.nodes["i-00001"].known
    world.wait(8)
    assert world.agree(set(world.nodes))
    assert world.nodes["i-00001"].known == known
    unique(world)


def test_workers_watch_while_there_is_no_master(world: World) -> None:
    del world.nodes["i-00001"]
    lost = world.table.holders()[500]
    del world.nodes[lost]

    def noticed() -> bool:
        return all(lost not in each.known for each in list(world.nodes.values())[:50])

    seconds = world.run(noticed, 30)
    figure(f"without a master, a dead worker is out of the lists after {seconds:.0f} s")
    (master,) = world.launch(1, 1, master=True)
    (worker,) = world.launch(1, 1)
    world.run(lambda: world.agree(set(world.nodes)), 30)
    assert (world.table.holders()[1], world.table.holders()[500]) == (master, worker)
    unique(world)


def test_claims_at_the_same_time(agent: Any) -> None:
    """Each call of each node comes between any two of the others."""
    world = World(agent)
    names = [*world.launch(1, 1, master=True), *world.launch(199, 1)]
    plain = world.table.call

    def late(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        time.sleep(DRAW.uniform(0, 0.002))
        return plain(operation, request)

    for name in names:
        world.nodes[name].cycle._registry._call = late  # the one place that calls
    threads = [threading.Thread(target=world.nodes[name].cycle.step) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    holders = world.table.holders()
    assert set(holders.values()) == set(names)
    assert all(world.nodes[name].cycle.slot == slot for slot, name in holders.items())


def test_files_of_a_thousand_nodes_are_made_in_no_time(world: World, agent: Any, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    members = next(iter(world.nodes.values())).cycle._registry.members()
    began = time.monotonic()
    agent.files.Files(tmp_path, "").publish(1, members[0].slot, members)
    figure(f"files of {len(members)} nodes: {1000 * (time.monotonic() - began):.0f} ms")
    assert (tmp_path / "opt/deeplearning/current/workers").read_text().count("\n") == NODES
