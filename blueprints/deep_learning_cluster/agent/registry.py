"""The registry: a DynamoDB table with one item for each slot, and one that tells that something has changed.

A slot is a node's index, as text: the master's is "1". Its item holds who has it and a counter that the holder
raises each period; no clock is ever compared with another's. Item "epoch" counts changes of the membership, so that
nodes read the table only after one, and the rounds of whoever looks for nodes that have stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .aws import RefusedError

if TYPE_CHECKING:
    from .aws import Call

MASTER = 1
_EPOCH = "epoch"


class Facts(NamedTuple):
    """What a node tells the others. `HostKey` is its public SSH host key, `Efa` how many adapters it has."""

    Node: str
    Ip: str
    HostKey: str
    Type: str
    Gpus: int
    Efa: int


@dataclass
class Member:
    """The holder of a slot. `gone` is one that has stopped and keeps its slot until another takes it.

    `state` is what the node says of itself with each beat, empty where all is well.
    """

    slot: int
    facts: Facts
    beat: int = field(compare=False)
    gone: bool = False
    state: str = field(default="", compare=False)


@dataclass(frozen=True)
class Epoch:
    """Changes so far, and rounds of the watch so far."""

    changes: int
    rounds: int


class Registry:
    """One node's view of the table. Every method raises CallError when AWS does not do it."""

    def __init__(self, call: Call, table: str, facts: Facts) -> None:
        self._call, self._table, self._facts = call, table, facts
        self.state = ""

    def members(self) -> list[Member]:
        """Every slot that was ever held, in order."""
        answer = self._call("dynamodb scan", {"TableName": self._table, "ConsistentRead": True})
        found = [_member(item) for item in answer["Items"] if item["Slot"]["S"] != _EPOCH]
        return sorted(found, key=lambda each: each.slot)

    def epoch(self) -> Epoch:
        """Where the counters are."""
        key = {"Slot": {"S": _EPOCH}}
        request = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        return _epoch(self._call("dynamodb get-item", request).get("Item", {}))

    def tell(self) -> None:
        """Let every node know that the membership is another. After the change: a lost call is made up for."""
        self._update(_EPOCH, "ADD #Changes :one", {":one": 1})

    def round(self) -> Epoch:
        """Begin a round of the watch."""
        change = "SET #Watcher = :me ADD #Rounds :one"
        return _epoch(self._update(_EPOCH, change, {":me": self._facts.Node, ":one": 1}, returns="ALL_NEW"))

    def stand(self, standing: dict[str, Any]) -> None:
        """Write how the cluster stands beside the counters. Raises RefusedError if another node has begun a round."""
        values = {f":{name}": value for name, value in standing.items()}
        sets = ", ".join(f"#{name} = :{name}" for name in standing)
        self._update(_EPOCH, f"SET {sets}", {**values, ":me": self._facts.Node}, "#Watcher = :me")

    def claim(self, slot: int, holder: Member | None = None) -> bool:
        """Take a slot that is free, or that `holder` no longer keeps alive; False if somebody was faster.

        A slot that this node holds already is taken again, with what it now tells.
        """
        told = self._facts._asdict()
        values: dict[str, Any] = {f":{name}": value for name, value in told.items()}
        condition = "attribute_not_exists(#Node) OR #Node = :Node"
        if holder:
            condition = "(#Node = :holder AND #Beat = :beat) OR #Node = :Node"
            values.update({":holder": holder.facts.Node, ":beat": holder.beat})
        sets = ", ".join(f"#{name} = :{name}" for name in told)
        change = f"SET {sets} REMOVE #Gone ADD #Beat :one"
        try:
            old = self._update(str(slot), change, {**values, ":one": 1}, condition, "ALL_OLD")
        except RefusedError:
            return False
        if not old or _member(old) != Member(slot, self._facts, 0):
            self.tell()
        return True

    def beat(self, slot: int) -> bool:
        """Stay alive in a slot; False if another node has it by now."""
        mine = {":me": self._facts.Node, ":one": 1, ":state": self.state}
        change = "SET #State = :state REMOVE #Gone ADD #Beat :one"
        try:
            old = self._update(str(slot), change, mine, "#Node = :me", "ALL_OLD")
        except RefusedError:
            return False
        if "Gone" in old:
            self.tell()
        return True

    def expel(self, member: Member) -> None:
        """Say of a member that it is gone, unless it has moved since."""
        values = {":gone": True, ":node": member.facts.Node, ":beat": member.beat}
        try:
            self._update(str(member.slot), "SET #Gone = :gone", values, "#Node = :node AND #Beat = :beat")
        except RefusedError:
            return
        self.tell()

    def _update(
        self, slot: str, change: str, values: dict[str, Any], condition: str = "", returns: str = "NONE"
    ) -> dict[str, Any]:
        request = {
            "TableName": self._table,
            "Key": {"Slot": {"S": slot}},
            "UpdateExpression": change,
            "ExpressionAttributeNames": {
                f"#{name}": name for name in re.findall(r"#(\w+)", change + condition)
            },
            "ExpressionAttributeValues": {name: _typed(value) for name, value in values.items()},
            "ReturnValues": returns,
        }
        if condition:
            request["ConditionExpression"] = condition
        return self._call("dynamodb update-item", request).get("Attributes", {})


class Watch:
    """How long members have been silent, as one observer saw it with its own clock.

    Time in which the observer saw nothing, because it or the table was out of reach, counts as two periods at most.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._at = 0.0
        self._seen: dict[int, tuple[str, int, float]] = {}

    def silent(self, members: list[Member], now: float) -> list[Member]:
        """Those that have not moved for a lease, four periods. `members` are as just read, `now` in seconds."""
        step, self._at = min(now - self._at, 2 * self._period), now
        seen: dict[int, tuple[str, int, float]] = {}
        for each in members:
            node, beat, age = self._seen.get(each.slot, ("", 0, 0.0))
            same = (node, beat) == (each.facts.Node, each.beat)
            seen[each.slot] = (each.facts.Node, each.beat, age + step if same else 0.0)
        self._seen = seen
        return [each for each in members if seen[each.slot][2] > lease(self._period)]


def lease(period: float) -> float:
    """Seconds of silence after which a node counts as gone."""
    return 4 * period


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _member(item: dict[str, Any]) -> Member:
    texts = item["Node"]["S"], item["Ip"]["S"], item["HostKey"]["S"], item["Type"]["S"]
    facts = Facts(*texts, int(item["Gpus"]["N"]), int(item["Efa"]["N"]))
    state = item.get("State", {"S": ""})["S"]
    return Member(int(item["Slot"]["S"]), facts, int(item["Beat"]["N"]), "Gone" in item, state)


def _epoch(item: dict[str, Any]) -> Epoch:
    return Epoch(*(int(item.get(name, {"N": "0"})["N"]) for name in ("Changes", "Rounds")))
