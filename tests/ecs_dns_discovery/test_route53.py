"""The agent's client of Route 53: signatures as botocore makes them, pages, limits, errors, connections that end."""

from __future__ import annotations

import ast
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .route53_standin import Route53
from .world import AGENT, ZONE, Daemon, Ours, World, container

route53 = AGENT.route53


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(Daemon(), monkeypatch)
    yield made
    made.close()


def record(number: int, value: str = "", routing: str = "weighted") -> Any:
    value = value or f"1 1 {number} target"
    return AGENT.records.Record(f"_s._tcp.{ZONE}", "SRV", f"node1:{number}", value, 0, routing)


def upserts(*records: Any) -> list[Any]:
    return [route53.Change("UPSERT", each) for each in records]


@pytest.mark.parametrize("token", ["", "session-token"])
@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1", b""),
        (
            "GET",
            "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset?identifier=a%3Ab%2Ftcp&maxitems=300",
            b"",
        ),
        ("POST", "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset", b"<a>\xc3\xa4</a>"),
    ],
)
def test_a_request_is_signed_as_botocore_signs_it(method: str, url: str, body: bytes, token: str) -> None:
    keys = AGENT.instance.Credentials("AKIDEXAMPLE", "secret/key+", token, 0)
    ours = route53.signed(method, url, body, "us-east-1", "route53", keys, 1_700_000_000)
    request: Any = AWSRequest(method, url, data=body, headers={"x-amz-date": ours["x-amz-date"]})
    request.context["timestamp"] = ours["x-amz-date"]
    signer: Any = SigV4Auth(Credentials("AKIDEXAMPLE", "secret/key+", token or None), "route53", "us-east-1")
    if token:
        request.headers["x-amz-security-token"] = token
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("region", "host", "signing"),
    [
        ("eu-central-1", "route53.amazonaws.com", "us-east-1"),
        ("cn-north-1", "route53.amazonaws.com.cn", "cn-northwest-1"),
        ("us-gov-east-1", "route53.us-gov.amazonaws.com", "us-gov-west-1"),
    ],
)
def test_each_partition_has_its_endpoint(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str, signing: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert route53.endpoint(region) == (f"https://{host}", signing)


def test_what_is_written_is_read_again(world: World) -> None:
    records = [record(1, "1 1 2 a&b<c>"), record(2)]
    world.zone().change(upserts(*records))
    assert world.zone().records(bool) == records


def test_a_refusal_is_told_from_what_may_pass(world: World) -> None:
    with pytest.raises(route53.RefusedError, match="not found"):
        world.zone().change([route53.Change("DELETE", record(1))])
    world.route53.rate = 1
    with pytest.raises(route53.UnavailableError, match="Throttling"):
        world.zone().change(upserts(record(1)))


def test_no_part_of_a_list_is_taken_for_the_whole(world: World) -> None:
    world.route53.most = 10
    world.zone().change(upserts(*(record(number) for number in range(25))))
    world.route53.rate = 2
    with pytest.raises(route53.UnavailableError):
        world.zone().records(bool)


def test_a_connection_that_has_ended_is_opened_again(world: World) -> None:
    zone = world.zone()
    zone.change(upserts(record(1)))
    kept: http.client.HTTPConnection = zone._connection
    assert kept.sock
    kept.sock.shutdown(2)
    zone.change(upserts(record(2)))
    assert len(world.route53.sets) == 2


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Daemon(), monkeypatch)
    world.close()
    with pytest.raises(route53.UnavailableError):
        world.zone().name()


@pytest.mark.parametrize(("size", "value", "expected"), [(700, "1", 500), (300, "x" * 100, 160)])
def test_a_call_holds_what_it_may(size: int, value: str, expected: int) -> None:
    """An UPSERT counts twice: 1,000 elements, and 32,000 characters."""
    assert len(route53.chunk(upserts(*(record(number, value) for number in range(size))), 1000)) == expected


def test_one_bad_record_does_not_keep_the_others_out(world: World) -> None:
    world.route53.sets[f"_bad._tcp.{ZONE}", "SRV", "somebody"] = ("1 1 1 elsewhere", 0, "multivalue")
    good = [container(number, f"SERVICE_8081_NAME=_s{number}._tcp") for number in range(1, 20)]
    for each in [*good, container(50, "SERVICE_8081_NAME=_bad._tcp")]:
        world.daemon.containers[each["Id"]] = each
    world.live(Ours(world), seconds=20)
    assert len(world.services()) == 20  # somebody's among them


def test_the_rate_of_the_account_is_kept(world: World) -> None:
    """Half a second is what two hosts leave each other; so many changes in that time are one call."""
    agent = Ours(world, interval=0.5)
    world.live(agent, *(lambda n=n: world.daemon.start(container(n)) for n in range(5)), seconds=20)
    times = [each for each in world.route53.requests if each.startswith("POST")]
    assert len(world.services()) == 5
    assert len(times) <= 6


def test_a_changed_routing_replaces_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Daemon(container(1)), monkeypatch)
    world.live(Ours(world))
    world.routing = "multivalue"
    world.live(Ours(world))
    assert {content[2] for content in world.route53.sets.values()} == {"multivalue"}
    world.close()


def test_the_stand_in_pages_as_route_53_does(world: World) -> None:
    """From the first at or after name, type and identifier on, with all three of the next one."""
    standin: Route53 = world.route53
    standin.most = 2
    world.zone().change(upserts(*(record(number) for number in range(1, 4))))
    path = "/2013-04-01/hostedzone/ZONE/rrset"
    _, first = standin.answer("GET", path, b"")
    assert "<IsTruncated>true</IsTruncated>" in first
    assert "<NextRecordIdentifier>node1:3</NextRecordIdentifier>" in first
    _, rest = standin.answer("GET", f"{path}?name=_s._tcp.{ZONE}&type=SRV&identifier=node1:3", b"")
    assert rest.count("<ResourceRecordSet>") == 1
    assert "<IsTruncated>false</IsTruncated>" in rest
    _, wrong = standin.answer("GET", f"{path}?identifier=node1:3", b"")
    assert wrong.count("<ResourceRecordSet>") == 2


def test_the_agent_is_written_for_the_python_of_its_host() -> None:
    """Amazon Linux 2023 has Python 3.9."""
    for path in Path(AGENT.daemon.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        assert "annotations" in {
            name.name for each in tree.body if isinstance(each, ast.ImportFrom) for name in each.names
        }
