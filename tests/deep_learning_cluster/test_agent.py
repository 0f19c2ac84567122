"""The agent of a node: files by hand-written goldens, the watch over others, and what it tells of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blueprints.deep_learning_cluster.agent import aws, files, hooks, log, machine
from blueprints.deep_learning_cluster.agent.cycle import Cycle
from blueprints.deep_learning_cluster.agent.registry import Epoch, Facts, Member, Registry, Watch

GOLDEN = Path(__file__).parent / "golden"


def member(slot: int, *, node: str = "", gpus: int = 2, beat: int = 1, gone: bool = False) -> Member:
    facts = Facts(node or f"NODE{slot}", f"10.0.1.1{slot}", f"ssh-ed25519 KEY{slot}", "g6.12xlarge", gpus, 0)
    return Member(slot, facts, beat, gone)


FOUR = [member(slot) for slot in (1, 2, 3, 4)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The file system of a node."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    return tmp_path


# Files


@pytest.mark.parametrize(
    "name",
    ["workers", "hostfile", "machinefile", "known_hosts", "deeplearning.sh", "environment", "torchrun.env"],
)
def test_files_are_the_posts(root: Path, name: str) -> None:
    files.Files(root, "").publish(7, 3, FOUR)
    assert (root / "opt/deeplearning/current" / name).read_text() == (GOLDEN / name).read_text()


def test_nodes_json(root: Path) -> None:
    files.Files(root, "").publish(7, 3, FOUR)
    found = (root / "opt/deeplearning/current/nodes.json").read_text()
    assert json.loads(found) == json.loads((GOLDEN / "nodes.json").read_text())


def test_hosts_keep_what_others_wrote(root: Path) -> None:
    hosts = root / "etc" / "hosts"
    files.Files(root, "").publish(7, 3, FOUR)
    assert hosts.read_text() == (GOLDEN / "etc-hosts").read_text()
    hosts.write_text(hosts.read_text() + "192.0.2.1 printer\n")
    files.Files(root, "").publish(8, 3, [FOUR[0], FOUR[2]])
    assert hosts.read_text() == (
        "127.0.0.1 localhost\n# BEGIN deeplearning\n10.0.1.11 deeplearning-master\n10.0.1.11 deeplearning-worker1\n"
        "10.0.1.13 deeplearning-worker3\n# END deeplearning\n192.0.2.1 printer\n"
    )


def test_a_hosts_file_without_a_newline_at_its_end(root: Path) -> None:
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost")
    files.Files(root, "").publish(7, 3, FOUR)
    assert (root / "etc" / "hosts").read_text() == (GOLDEN / "etc-hosts").read_text()


def test_nothing_is_written_where_nothing_has_changed(root: Path) -> None:
    assert files.Files(root, "").publish(7, 3, FOUR)
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
    assert not files.Files(root, "").publish(7, 3, FOUR)
    assert {path: path.lstat().st_mtime_ns for path in root.rglob("*")} == before


def test_all_files_change_in_one_step_and_former_ones_stay_for_a_while(root: Path) -> None:
    published = files.Files(root, "")
    published.publish(1, 1, FOUR)
    former = published.current.resolve()
    for epoch in range(2, 9):
        published.publish(epoch, 1, FOUR[: 1 + epoch % 3])
    assert (former / "workers").read_text() == (GOLDEN / "workers").read_text()
    assert published.current.is_symlink()
    published.publish(9, 1, FOUR)
    assert not former.exists()


def test_a_node_that_tells_something_else_in_the_same_epoch_has_another_snapshot(root: Path) -> None:
    published = files.Files(root, "")
    published.publish(1, 1, FOUR)
    former = published.current.resolve()
    published.publish(1, 1, [member(1, gpus=8), *FOUR[1:]])
    assert published.current.resolve() != former
    assert "slots=8" in (published.current / "hostfile").read_text()


def test_a_node_without_gpus_has_one_rank_and_says_so(root: Path) -> None:
    texts = files.contents(1, 1, [member(1, gpus=0)], "")
    assert "DEEPLEARNING_WORKER_GPU_COUNT=0\n" in texts["environment"]
    assert texts["hostfile"] == "deeplearning-worker1 slots=1\n"


def test_the_shared_folder_is_named_as_the_second_original_did() -> None:
    assert "export EFS_MOUNT=/efs\n" in files.contents(1, 1, FOUR, "/efs")["deeplearning.sh"]


def test_a_file_keeps_its_mode(root: Path) -> None:
    path = root / "etc" / "hosts"
    path.chmod(0o640)
    files.write(path, "else\n")
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o640, "else\n")
    assert [each.name for each in path.parent.iterdir()] == ["hosts"]


# The watch


def test_a_member_that_moves_is_never_silent() -> None:
    watch = Watch(10)
    for now in range(0, 500, 10):
        assert watch.silent([member(2, beat=now)], now) == []


def test_a_member_is_silent_after_a_lease_of_the_observers_own_clock() -> None:
    watch, still = Watch(10), member(2)
    assert [bool(watch.silent([still], now)) for now in range(0, 70, 10)] == [False] * 5 + [True] * 2


def test_time_in_which_the_observer_saw_nothing_hardly_counts() -> None:
    """After an outage of the table nobody has moved, and everybody is alive."""
    watch, still = Watch(10), member(2)
    watch.silent([still], 0)
    assert watch.silent([still], 100_000) == []
    assert watch.silent([still], 100_020) == []
    assert watch.silent([still], 100_040) == [still]


def test_another_holder_of_a_slot_begins_anew() -> None:
    watch = Watch(10)
    for now in range(0, 50, 10):
        watch.silent([member(2, node="old")], now)
    assert watch.silent([member(2, node="new")], 50) == []


# The cycle


class Told:
    """A registry whose answers are given, and that notes what it is told."""

    def __init__(self, members: list[Member], epoch: Epoch) -> None:
        self.listed, self.at, self.told = members, epoch, list[str]()

    def members(self) -> list[Member]:
        return self.listed

    def epoch(self) -> Epoch:
        return self.at

    def round(self) -> Epoch:
        self.told.append("round")
        return self.at

    def beat(self, slot: int) -> bool:
        return any(each.slot == slot and each.facts.Node == "NODE2" for each in self.listed)

    def claim(self, slot: int, holder: Member | None = None) -> bool:
        self.told.append(f"claim {slot}")
        return True

    def expel(self, member: Member) -> None:
        self.told.append(f"expel {member.slot}")

    def tell(self) -> None:
        self.told.append("tell")


def cycle(registry: Any, clock: list[float], published: list[Any]) -> Cycle:
    return Cycle(
        registry,
        FOUR[1].facts,
        master=False,
        nodes=4,
        period=10,
        clock=lambda: clock[0],
        publish=lambda epoch, slot, members: published.append((epoch, slot, [each.slot for each in members])),
        log=lambda line: None,
    )


def test_files_are_made_once_for_an_epoch() -> None:
    registry, published = Told(FOUR, Epoch(5, 0)), list[Any]()
    node = cycle(registry, [0.0], published)
    assert all(node.step() for _ in range(3))
    assert published == [(5, 2, [1, 2, 3, 4])]


def test_who_is_gone_is_in_no_list() -> None:
    published: list[Any] = []
    cycle(Told([*FOUR[:3], member(4, gone=True)], Epoch(5, 0)), [0.0], published).step()
    assert published == [(5, 2, [1, 2, 3])]


def test_a_full_cluster_makes_a_newcomer_wait() -> None:
    others = [member(slot, node=f"other{slot}") for slot in (1, 2, 3, 4)]
    registry = Told(others, Epoch(5, 0))
    assert not cycle(registry, [0.0], []).step()
    assert registry.told == []


def test_a_newcomer_takes_the_place_of_the_dead_before_a_free_one() -> None:
    registry = Told([member(1), member(3, node="dead", gone=True)], Epoch(5, 0))
    cycle(registry, [0.0], []).step()
    assert registry.told[0] == "claim 3"


def test_a_file_that_cannot_be_written_is_tried_again() -> None:
    tries: list[int] = []

    def fail(epoch: int, slot: int, members: list[Member]) -> None:
        tries.append(epoch)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")

    registry: Any = Told(FOUR, Epoch(5, 0))
    node = Cycle(
        registry,
        FOUR[1].facts,
        master=False,
        nodes=4,
        period=10,
        clock=lambda: 0.0,
        publish=fail,
        log=lambda _: None,
    )
    assert [node.step(), node.step(), node.step()] == [False, True, True]
    assert tries == [5, 5]


# The node itself


def program(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name, found first."""
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def answering(answer: aws.Request) -> aws.Call:
    """An AWS that always says the same."""

    def call(operation: str, request: aws.Request) -> aws.Request:
        return answer

    return call


def test_gpus_are_what_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "nvidia-smi", "echo 'GPU 0: L4'; echo '  MIG 1g'; echo 'GPU 1: L4'", monkeypatch)
    assert machine.gpus("g6.12xlarge", answering({})) == 2


@pytest.mark.parametrize("text", ["exit 127", "echo 'NVIDIA-SMI has failed'; exit 9"])
def test_without_a_driver_gpus_are_those_of_the_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The original had a fixed list of types, and counted none on those that came later."""
    program(tmp_path, "nvidia-smi", text, monkeypatch)
    told = {"InstanceTypes": [{"GpuInfo": {"Gpus": [{"Count": 4}]}}]}
    assert machine.gpus("g6.12xlarge", answering(told)) == 4
    assert machine.gpus("c7i.large", answering({"InstanceTypes": [{}]})) == 0


def test_adapters_are_those_of_the_kernel(tmp_path: Path) -> None:
    for name in ("rdmap0s6", "rdmap1s6"):
        (tmp_path / name).mkdir()
    assert machine.adapters(str(tmp_path)) == 2
    assert machine.adapters(str(tmp_path / "none")) == 0


def test_a_call_gives_its_request_as_json_and_tells_refusals_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "aws", 'printf \'{"Said": "%s"}\' "$1 $2"', monkeypatch)
    assert aws.call("dynamodb scan", {"TableName": "t"}) == {"Said": "dynamodb scan"}
    program(
        tmp_path,
        "aws",
        "echo 'An error occurred (ConditionalCheckFailedException)' >&2; exit 254",
        monkeypatch,
    )
    with pytest.raises(aws.RefusedError):
        aws.call("dynamodb update-item", {})
    program(tmp_path, "aws", "echo 'Could not connect' >&2; exit 255", monkeypatch)
    with pytest.raises(aws.CallError, match="dynamodb scan: Could not connect") as told:
        aws.call("dynamodb scan", {})
    assert not isinstance(told.value, aws.RefusedError)


def test_a_boots_log_goes_to_its_stream_also_the_second_time(tmp_path: Path) -> None:
    calls: list[Any] = []

    def call(operation: str, request: aws.Request) -> aws.Request:
        calls.append((operation, request))
        if "create" in operation:
            raise aws.CallError("ResourceAlreadyExistsException")
        return {}

    path = tmp_path / "log"
    path.write_bytes(b"x" * 50_000 + b"\xff end")
    log.ship(call, path, "group", "Master/i-1")
    operation, request = calls[1]
    assert (operation, request["logStreamName"]) == ("logs put-log-events", "Master/i-1")
    assert request["logEvents"][0]["message"].endswith("end")
    assert len(request["logEvents"][0]["message"]) == 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="flock")
def test_hooks_run_in_order_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    for name, text in (("10-a", "echo a $*"), ("20-b", "exit 3"), ("30-c", "echo c $2")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{text} >> {tmp_path}.heard\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "40-not").write_text("#!/bin/bash\necho never\n")
    assert hooks.tell("change", "/snapshot", str(tmp_path)).wait(20) == 0
    assert Path(f"{tmp_path}.heard").read_text() == "a change /snapshot\nc /snapshot\n"


def test_the_unit_is_sound() -> None:
    unit = Path(hooks.__file__).parent / "deeplearning-agent.service"
    verify = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    told = [
        line
        for line in verify.stderr.splitlines()
        if "deeplearning" in line and "/opt/deeplearning" not in line
    ]
    assert told == []


def test_a_registry_reads_what_it_writes() -> None:
    """Through moto, since conditions are evaluated by the table."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto: Any = boto3
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto.client("dynamodb", region_name="us-east-1", **keys)
        key = {"AttributeName": "Slot"}
        client.create_table(
            TableName="registry",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{**key, "KeyType": "HASH"}],
            AttributeDefinitions=[{**key, "AttributeType": "S"}],
        )

        def call(operation: str, request: aws.Request) -> aws.Request:
            try:
                return getattr(client, operation.split()[1].replace("-", "_"))(**request)
            except client.exceptions.ConditionalCheckFailedException as error:
                raise aws.RefusedError from error

        one, two = (Registry(call, "registry", each.facts) for each in FOUR[:2])
        assert one.claim(1)
        assert not two.claim(1)
        assert two.claim(2)
        assert [each.facts for each in one.members()] == [each.facts for each in FOUR[:2]]
        assert one.epoch() == Epoch(2, 0)
        assert one.claim(1, one.members()[0])  # again, with the same facts: nothing to tell
        assert one.epoch() == Epoch(2, 0)
        seen = one.members()[1]
        assert two.beat(2)
        one.expel(seen)  # it has moved since
        assert not one.members()[1].gone
        one.expel(one.members()[1])
        assert one.members()[1].gone
        assert two.beat(2)  # and is back, which the others have to hear
        assert not one.members()[1].gone
        assert one.epoch() == Epoch(4, 0)
        assert one.round() == Epoch(4, 1)
        three = Registry(call, "registry", FOUR[2].facts)
        assert not three.claim(2, seen)
        assert three.claim(2, one.members()[1])
        assert not two.beat(2)
