"""The health function over emulated clusters: what it removes, what it stops, and what it leaves alone."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from blueprints.ecs_dns_discovery.functions import checks, health

from .originals import OriginalHealth
from .world import ZONE

REGION = "eu-west-1"
Ask = Callable[[checks.Probe], bool]
NOW = datetime(2025, 1, 1, tzinfo=UTC)
SCHEDULED: dict[str, Any] = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class Account:
    """An account with a zone, clusters and their tasks. moto makes tasks; what ECS adds to them, a test says."""

    def __init__(self) -> None:
        aws: Any = boto3
        self.clients = {name: aws.client(name, region_name=REGION) for name in ("ec2", "ecs", "route53")}
        made = self.clients["route53"].create_hosted_zone(Name=ZONE, CallerReference="test")
        self.zone = made["HostedZone"]["Id"].rpartition("/")[2]
        self.tasks: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.stopped: list[str] = []
        self.definitions: dict[str, list[dict[str, Any]]] = {}
        ecs = self.clients["ecs"]
        ecs.get_paginator = self._paginator
        ecs.describe_tasks = self._describe
        ecs.stop_task = self._stop
        ecs.list_clusters = self._clusters
        ecs.list_tasks = self._running
        ecs.describe_task_definition = self._definition

    def _stop(self, cluster: str, task: str, reason: str = "") -> None:
        self.stopped.append(task)

    def _clusters(self) -> dict[str, Any]:
        return {"clusterArns": list(self.tasks)}

    def _running(self, cluster: str) -> dict[str, Any]:
        return {"taskArns": [each["taskArn"] for each in self.tasks[cluster]["RUNNING"]]}

    def _definition(self, taskDefinition: str) -> dict[str, Any]:  # noqa: N803 - the API's own name
        return {"taskDefinition": {"containerDefinitions": self.definitions[taskDefinition]}}

    def _paginator(self, operation: str) -> Any:
        """Pages of ten, so that all of them have to be asked for."""
        account = self

        class Pages:
            def paginate(self, cluster: str = "", desiredStatus: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
                if operation == "list_clusters":
                    yield from ({"clusterArns": [each]} for each in account.tasks)
                    return
                arns = [each["taskArn"] for each in account.tasks[cluster][desiredStatus]]
                yield from ({"taskArns": arns[at : at + 10]} for at in range(0, len(arns) or 1, 10))

        return Pages()

    def _describe(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        assert len(tasks) <= 100
        known = [each for status in self.tasks[cluster].values() for each in status]
        return {"tasks": [each for each in known if each["taskArn"] in tasks]}

    def instance(self) -> str:
        made = self.clients["ec2"].run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)
        return made["Instances"][0]["InstanceId"]

    def task(
        self, cluster: str, number: int, status: str = "RUNNING", definition: str = "plain"
    ) -> dict[str, Any]:
        self.definitions.setdefault(definition, [{"name": "app", "environment": []}])
        made = {
            "taskArn": f"arn:aws:ecs:{REGION}:1:task/{cluster}/{number}",
            "clusterArn": cluster,
            "lastStatus": status,
            "startedAt": NOW - timedelta(hours=1),
            "taskDefinitionArn": definition,
            "containers": [{"name": "app", "runtimeId": f"{number:064x}"}],
        }
        self.tasks.setdefault(cluster, {"RUNNING": [], "STOPPED": []})[status].append(made)
        return made

    def record(self, name: str, identifier: str, value: str, kind: str = "SRV") -> None:
        record = {"Name": f"{name}.{ZONE}", "Type": kind, "TTL": 0, "ResourceRecords": [{"Value": value}]}
        if identifier:
            record |= {"SetIdentifier": identifier, "Weight": 1}
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        self.clients["route53"].change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch=change)

    def service(self, host: str, number: int, port: int = 32768, address: str = "10-5-1-1") -> str:
        identifier = f"{host}:{number:064x}:8081/tcp"
        self.record("_calc._tcp", identifier, f"1 1 {port} ip-{address}.{ZONE}")
        return identifier

    def identifiers(self) -> set[str]:
        pages = (
            self.clients["route53"]
            .get_paginator("list_resource_record_sets")
            .paginate(HostedZoneId=self.zone)
        )
        sets = [each for page in pages for each in page["ResourceRecordSets"] if each["Type"] in ("A", "SRV")]
        return {each.get("SetIdentifier", each["Name"]) for each in sets}

    def clean(self, event: dict[str, Any] | None = None) -> list[str]:
        return health.clean(self.clients, self.zone, event or {}, lambda seconds: None)

    def probes(self) -> list[checks.Probe]:
        ecs = self.clients["ecs"]
        running = (each for cluster in self.tasks for each in health.tasks_of(ecs, cluster, "RUNNING"))
        return checks.probes(ecs, health.owned(self.clients["route53"], self.zone), running, NOW)

    def checked(self, ask: Ask, percent: int = 30, clock: Clock | None = None) -> dict[str, int]:
        clock = clock or Clock(120)
        return checks.checked(self.clients["ecs"], self.probes(), percent, ask, clock.sleep, clock.left)


class Clock:
    """The seconds that an invocation has left. Pauses are not waited for."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return self._end - time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._end -= seconds

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's context has it."""
        return int(self.left() * 1000)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield Account()


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A second account, for the original."""
    with mock_aws():
        yield Account()


def test_a_dead_hosts_records_go_and_a_living_ones_stay(account: Account) -> None:
    alive, dead = account.instance(), account.instance()
    kept, gone = account.service(alive, 1), account.service(dead, 2)
    account.record("ip-10-5-1-2", f"{dead}:host", "10.5.1.2", "A")
    account.clients["ec2"].terminate_instances(InstanceIds=[dead])
    assert len(account.clean()) == 2
    assert account.identifiers() == {kept}
    assert gone not in account.identifiers()


def test_a_container_that_ecs_saw_stop_goes_and_one_it_does_not_know_stays(account: Account) -> None:
    host = account.instance()
    account.task("c", 1, "STOPPED")
    account.service(host, 1)
    foreign = account.service(host, 2)
    account.clean()
    assert account.identifiers() == {foreign}


def test_the_event_of_a_stopped_task_is_enough(account: Account) -> None:
    host = account.instance()
    account.service(host, 1)
    account.clean({"detail": {"lastStatus": "STOPPED", "containers": [{"runtimeId": f"{1:064x}"}]}})
    assert account.identifiers() == set()


def test_hundreds_of_records_are_all_looked_at(account: Account) -> None:
    alive, dead = account.instance(), account.instance()
    account.clients["ec2"].terminate_instances(InstanceIds=[dead])
    kept = {account.service(alive, number) for number in range(1, 126)}
    for number in range(126, 251):
        account.service(dead, number)
    account.clean()
    assert account.identifiers() == kept


def test_d1_23_every_cluster_is_looked_at_and_a_terminated_instance_ends_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scenario(clean: Any) -> None:
        alive, dead = account.instance(), account.instance()
        account.clients["ec2"].terminate_instances(InstanceIds=[dead])
        for number in range(1, 31):
            account.task("one" if number < 15 else "two", number, "STOPPED")
            account.service(alive, number)
        account.service(dead, 99)
        try:
            clean()
        except Exception as error:
            pytest.fail(str(error))
        assert account.identifiers() == set()

    scenario(account.clean)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        scenario(lambda: OriginalHealth().clean(account.clients, account.zone))


def asked(account: Account, number: int, how: str = "http:/health") -> None:
    """A task with a service that says how to ask it."""
    account.definitions[how] = [
        {"name": "app", "environment": [{"name": "SERVICE_8081_CHECK", "value": how}]}
    ]
    account.task("c", number, definition=how)
    account.service("i-0123456789abcdef0", number, port=number)


@pytest.fixture
def ten(account: Account) -> Account:
    """Ten tasks that want to be asked, on one host."""
    for number in range(1, 11):
        asked(account, number)
    account.record("ip-10-5-1-1", "i-0123456789abcdef0:host", "10.5.1.1", "A")
    return account


def never(probe: Any) -> bool:
    """Nothing answers."""
    return False


def original(account: Account) -> Callable[[Ask], object]:
    """The post's checks of this account."""

    def checked(ask: Ask) -> None:
        OriginalHealth().checked(account.clients, account.zone, ask)

    return checked


def test_d1_24_a_fault_of_the_network_stops_nothing(ten: Account) -> None:
    def scenario(check: Callable[[Ask], object]) -> None:
        ten.stopped.clear()
        check(never)
        assert ten.stopped == []

    scenario(ten.checked)
    with pytest.raises(AssertionError):
        scenario(original(ten))


def test_d1_24_a_service_that_does_not_ask_for_it_is_not_asked(account: Account) -> None:
    def scenario(check: Callable[[Ask], object]) -> None:
        account.stopped.clear()
        check(never)
        assert account.stopped == []

    account.task("c", 1)
    asked(account, 2, "none")
    asked(account, 3, "http:/größe")
    scenario(partial(account.checked, percent=100))
    with pytest.raises(AssertionError):
        scenario(original(account))


def test_a_task_that_fails_again_and_again_is_stopped(ten: Account) -> None:
    asked_of: list[int] = []

    def ask(probe: checks.Probe) -> bool:
        asked_of.append(probe.port)
        return probe.port != 3

    assert ten.checked(ask) == {"checked": 10, "failing": 1, "stopped": 1, "unasked": 0}
    assert ten.stopped == [f"arn:aws:ecs:{REGION}:1:task/c/3"]
    assert asked_of.count(3) == 3
    assert asked_of.count(4) == 1


def test_a_task_that_recovers_is_not_stopped(ten: Account) -> None:
    answers = iter([False] * 10 + [True] * 10)

    def ask(probe: checks.Probe) -> bool:
        return next(answers)

    ten.checked(ask)
    assert ten.stopped == []


@pytest.mark.parametrize(("failing", "stopped"), [(3, 3), (4, 0)])
def test_the_breaker_trips_above_its_share(ten: Account, failing: int, stopped: int) -> None:
    def ask(probe: checks.Probe) -> bool:
        return probe.port > failing

    ten.checked(ask)
    assert len(ten.stopped) == stopped


@pytest.fixture
def handled(ten: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function's entry, where the host lives and one of ten tasks fails."""

    def answers(probe: checks.Probe) -> bool:
        return probe.port != 3

    def living(ec2: Any, hosts: set[str]) -> set[str]:
        return hosts

    def sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(boto3, "client", ten.clients.get)
    monkeypatch.setitem(sys.modules, "checks", checks)
    monkeypatch.setattr(checks, "answers", answers)
    monkeypatch.setattr(health, "living", living)
    monkeypatch.setattr(time, "sleep", sleep)
    for name, value in {"ZONE_ID": ten.zone, "CHECKS": "true", "STOP_PERCENT": "30"}.items():
        monkeypatch.setenv(name, value)
    return lambda event: health.handler(event, Clock(120))


def test_the_schedule_has_tasks_asked(ten: Account, handled: Any) -> None:
    assert handled(SCHEDULED) == {"deleted": [], "checked": 10, "failing": 1, "stopped": 1, "unasked": 0}
    assert ten.stopped == [f"arn:aws:ecs:{REGION}:1:task/c/3"]


@pytest.mark.parametrize(
    "kind", ["ECS Task State Change", "EC2 Instance State-change Notification", "something else"]
)
def test_an_event_of_a_stop_removes_records_and_stops_nothing(ten: Account, handled: Any, kind: str) -> None:
    """Else sixty that are stopped would bring sixty looks, each of which may stop its share again."""
    detail = {"lastStatus": "STOPPED", "containers": [{"runtimeId": f"{5:064x}"}]}
    (deleted,) = handled({"detail-type": kind, "detail": detail})["deleted"]
    assert f"{5:064x}" in deleted
    assert ten.stopped == []


@pytest.mark.parametrize(("seconds", "failing"), [(0, 0), (119, 0), (120, 1)])
def test_a_task_may_take_two_minutes_to_start(ten: Account, seconds: int, failing: int) -> None:
    ten.tasks["c"]["RUNNING"][2]["startedAt"] = NOW - timedelta(seconds=seconds)
    done = ten.checked(lambda probe: probe.port != 3)
    assert done == {"checked": 9 + failing, "failing": failing, "stopped": failing, "unasked": 0}


class Hanging:
    """Tasks of which those with a port from `first` on hang, for a fiftieth of what the function allows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tasks: int, first: int = 0) -> None:
        monkeypatch.setattr(checks, "_PATIENCE", 0.04)
        self.probes = [checks.Probe("c", str(port), "10.5.1.1", port, "tcp") for port in range(tasks)]
        self.stopped: list[str] = []
        self.asked: list[int] = []
        self._first = first

    def stop_task(self, cluster: str, task: str, reason: str) -> None:
        self.stopped.append(task)

    def ask(self, probe: checks.Probe) -> bool:
        self.asked.append(probe.port)
        if probe.port >= self._first:
            time.sleep(0.04)
        return probe.port < self._first

    def checked(self, clock: Clock, percent: int = 30) -> dict[str, int]:
        return checks.checked(self, self.probes, percent, self.ask, clock.sleep, clock.left)


def test_what_there_is_no_time_for_is_told_and_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, clock = Hanging(monkeypatch, 2000), Clock(20 + 10 + 3 * 0.8)
    done = hanging.checked(clock, percent=100)
    assert clock.left() > 15
    assert done["checked"] + done["unasked"] == 2000
    assert 0 < done["failing"] == done["stopped"] == len(hanging.stopped) < 2000
    assert all(hanging.asked.count(int(each)) == 3 for each in hanging.stopped)


def test_the_share_is_of_those_that_were_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All hang. What was not asked is no reason to believe that it is well."""
    done = Hanging(monkeypatch, 2000).checked(Clock(20 + 10 + 3 * 0.3))
    assert done["failing"] < 2000 * 30 // 100
    assert done == {**done, "checked": done["failing"], "stopped": 0}


def test_the_next_look_asks_others_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Hanging(monkeypatch, 2000)
    hanging.checked(Clock(20 + 10 + 3 * 0.3))
    once = set(hanging.asked)
    hanging.checked(Clock(20 + 10 + 3 * 0.3))
    assert set(hanging.asked) > once


def test_without_time_none_is_asked(ten: Account) -> None:
    done = ten.checked(never, 100, Clock(25))
    assert done == {"checked": 0, "failing": 0, "stopped": 0, "unasked": 10}


def test_stops_end_before_the_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, clock = Hanging(monkeypatch, 20, first=15), Clock(60)

    def stop_task(cluster: str, task: str, reason: str) -> None:
        hanging.stopped.append(task)
        clock.sleep(20)

    monkeypatch.setattr(hanging, "stop_task", stop_task)
    assert hanging.checked(clock) == {"checked": 20, "failing": 5, "stopped": 3, "unasked": 0}
    assert len(hanging.stopped) == 3


def test_an_answer_without_an_end_does_not_hold_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, end = Hanging(monkeypatch, 10, first=10), threading.Event()

    def ask(probe: checks.Probe) -> bool:
        return probe.port != 3 or end.wait(10)

    monkeypatch.setattr(hanging, "ask", ask)
    clock = Clock(20 + 10 + 3 * 0.3)
    assert hanging.checked(clock) == {"checked": 9, "failing": 0, "stopped": 0, "unasked": 1}
    assert clock.left() > 15
    end.set()


def test_d1_25_records_of_others_stay(account: Account) -> None:
    foreign = {"bare._tcp", "calc", "_sip._tcp"}

    def scenario(clean: Any) -> None:
        before = account.identifiers()
        clean()
        assert account.identifiers() == before

    for name in foreign:
        account.record(name, "", "1 1 5060 elsewhere.example.com")
    account.record("_x._tcp", "node1:somebody", "1 1 1 elsewhere.example.com")
    scenario(account.clean)
    with pytest.raises((AssertionError, KeyError)):
        scenario(lambda: _emptied(account))


def _emptied(account: Account) -> None:
    """The post's cleaning of a cluster without instances."""

    def none(cluster: str, containerInstances: list[str] | None = None) -> dict[str, list[Any]]:  # noqa: N803
        return {"containerInstanceArns": [], "containerInstances": []}

    account.tasks.setdefault("c", {"RUNNING": [], "STOPPED": []})
    ecs = account.clients["ecs"]
    ecs.list_container_instances = ecs.describe_container_instances = none
    OriginalHealth().clean(account.clients, account.zone)


def test_d1_26_a_target_that_does_not_resolve_is_no_excuse(account: Account) -> None:
    """Names are not asked: who is gone, EC2 knows. The original skips what it cannot resolve."""

    def scenario(clean: Any) -> None:
        dead = account.instance()
        account.clients["ec2"].terminate_instances(InstanceIds=[dead])
        account.service(dead, 1, address="does-not-resolve")
        clean()
        assert account.identifiers() == set()

    scenario(account.clean)
    with pytest.raises(AssertionError):
        scenario(lambda: _emptied(account))


class Web(BaseHTTPRequestHandler):
    """A service of which one path is well; CloudFormation's address for answers."""

    told: list[dict[str, Any]]

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 500)
        self.end_headers()

    def do_PUT(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        pass


@pytest.fixture
def web() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A port, and what is put there."""
    told: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Web,), {"told": told}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1], told
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("how", "well"), [("http:/health", True), ("http:/other", False), ("tcp", True)])
def test_a_probe_asks_over_the_network(web: Any, how: str, well: bool) -> None:
    assert checks.answers(checks.Probe("c", "t", "127.0.0.1", web[0], how)) is well


def test_a_closed_port_does_not_answer() -> None:
    assert not checks.answers(checks.Probe("c", "t", "127.0.0.1", 9, "tcp"))


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_cloudformation_gets_one_answer_and_deletion_empties_the_zone(
    account: Account, web: Any, monkeypatch: pytest.MonkeyPatch, request_type: str
) -> None:
    port, told = web
    monkeypatch.setenv("ZONE_ID", account.zone)
    account.record("anything", "", "192.0.2.1", "A")
    event = {
        "RequestType": request_type, "ResponseURL": f"http://127.0.0.1:{port}/answer?signed=1", "StackId": "s",
        "RequestId": "r", "LogicalResourceId": "ZoneRecords",
    }  # fmt: skip
    health.handler(event, None)
    assert [each["Status"] for each in told] == ["SUCCESS"]
    assert account.identifiers() == (set() if request_type == "Delete" else {f"anything.{ZONE}."})


def test_cloudformation_hears_of_a_failure_once(
    account: Account, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, told = web
    monkeypatch.setenv("ZONE_ID", "ZNONE")
    event = {
        "RequestType": "Delete", "ResponseURL": f"http://127.0.0.1:{port}/answer?signed=1", "StackId": "s",
        "RequestId": "r", "LogicalResourceId": "ZoneRecords",
    }  # fmt: skip
    health.handler(event, None)
    assert [each["Status"] for each in told] == ["FAILED"]


def test_cloudformation_hears_of_an_unknown_request_as_a_failure(account: Account) -> None:
    status, reason = health.emptied({"RequestType": "Rename"}, account.clients["route53"], account.zone)
    assert (status, "Rename" in reason) == ("FAILED", True)


def test_an_answer_that_does_not_arrive_is_sent_again_and_no_other_one(account: Account) -> None:
    event = {"RequestType": "Create", "ResponseURL": "http://127.0.0.1:9/x?y", "StackId": "s", "RequestId": "r",
             "LogicalResourceId": "ZoneRecords"}  # fmt: skip
    slept: list[float] = []
    answer = health.respond(event, "SUCCESS", "done", slept.append)
    assert answer["Status"] == "SUCCESS"
    assert slept == [1, 2, 4, 8]
