"""The three services: the post's examples, who is let in, and where the portal finds the others."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from blueprints.ecs_dns_discovery.image import calc, clock, portal, server

MOMENT = datetime(2016, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("(2+6)*3", "24"),
        ("1/4", "0.25"),
        ("-3%2", "1"),
        ("2*-(1-4)", "6"),
        ("0.1+0.2", "0.3"),
        ("1e3", "1000"),
    ],
)
def test_formulas(formula: str, value: str) -> None:
    assert calc.answer(f"/calc/{formula}") == value


@pytest.mark.parametrize(
    "formula",
    [
        "2**9",
        "__import__('os')",
        "a+1",
        "1/0",
        "True",
        "'a'*9",
        "(" * 300,
        "9" * 30,
        "1;2",
        "[1]",
        "1 if 1 else 2",
    ],
)
def test_what_is_no_formula_is_the_callers_fault(formula: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        calc.answer(f"/calc/{formula}")


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("2 Jan", "2 Jan"), ("15:04", "15:04"), ("Jan -> 15", "Jan -> 15"), ("15:04 Jan 2", "15:04 Jan 2"),
        ("2006-01-02T15:04:05Z07:00", "2016-01-02T15:04:05Z"), ("Monday, _2. January 06", "Saturday,  2. January 16"),
        ("3:04PM MST -0700", "3:04PM UTC +0000"), ("03.4.5", "03.4.5"),
    ],
)  # fmt: skip
def test_layouts_of_go(layout: str, told: str) -> None:
    assert clock.formatted(MOMENT, layout) == told


def test_other_paths_are_not_there() -> None:
    for module, path in ((calc, "/time/15"), (clock, "/calc/1"), (calc, "/calc/"), (portal, "/etc/passwd")):
        with pytest.raises(LookupError):
            module.answer(path, {}) if module is portal else module.answer(path)  # type: ignore[call-arg, operator]


@pytest.fixture
def served() -> Iterator[int]:
    """The calculator behind its password, on a port."""

    class Handler(server.Handler):
        answer = staticmethod(server.with_origin(calc.answer))
        credentials = "portal:secret"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield listening.server_address[1]
    listening.shutdown()
    listening.server_close()


def get(port: int, path: str, credentials: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    encoded = base64.b64encode(credentials.encode()).decode()
    connection.request("GET", path, headers={"Authorization": f"Basic {encoded}"} if credentials else {})
    response = connection.getresponse()
    found = response.status, response.read().decode()
    connection.close()
    return found


def test_health_is_for_everybody_and_the_rest_is_not(served: int) -> None:
    assert get(served, "/health") == (200, '{"status":"OK"}')
    assert get(served, "/calc/1+1")[0] == 401
    assert get(served, "/calc/1+1", "portal:wrong")[0] == 401
    status, body = get(served, "/calc/(2+6)*3", "portal:secret")
    assert status == 200
    assert json.loads(body).keys() == {"value", "containerid", "instanceid"}
    assert json.loads(body)["value"] == "24"
    assert get(served, "/calc/1/0", "portal:secret")[0] == 400
    assert get(served, "/other", "portal:secret")[0] == 404
    assert server.check(served) == 0
    assert server.check(9) == 1


def test_the_container_and_its_instance_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    arn = "arn:aws:ecs:eu-west-1:1:container-instance/cluster/0123"
    (tmp_path / "metadata").write_text(json.dumps({"ContainerInstanceARN": arn}))
    monkeypatch.setenv("HOSTNAME", "0a1b2c")
    monkeypatch.setenv("ECS_CONTAINER_METADATA_FILE", str(tmp_path / "metadata"))
    told = json.loads(server.told("24")[1])
    assert told == {"value": "24", "containerid": "0a1b2c", "instanceid": "0123"}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, served: int) -> int:
    """What the portal is told by its task definition."""
    for name in ("TIME", "CALC"):
        monkeypatch.setenv(f"{name}_USERNAME", "portal")
        monkeypatch.setenv(f"{name}_PASSWORD", "secret")
        monkeypatch.setenv(f"{name}_SERVICE", f"127.0.0.1:{served}")
    return served


def test_the_portal_asks_and_shows_nothing_unescaped(known: int) -> None:
    kind, page = portal.answer("/", {"formula": "(2+6)*3", "layout": '"><script>'})
    assert kind == "text/html"
    assert "24 (container" in page
    assert "<script>" not in page


def test_a_service_that_is_gone_leaves_the_page_standing(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALC_SERVICE", "127.0.0.1:9")
    page = portal.answer("/", {})[1]
    assert "not available" in page
    assert "secret" not in page


def test_another_answer_is_tried(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(service: str) -> list[tuple[str, int]]:
        return [("127.0.0.1", 9), ("127.0.0.1", known)]

    monkeypatch.setattr(portal, "found", found)
    assert portal.ask("CALC", "/calc/1+1").startswith("2 (")


NAME = b"\x05_calc\x04_tcp\x08internal\x00"


def reply(question: bytes, *answers: tuple[int, int, int], truncated: bool = False) -> bytes:
    """What a name server says: SRV records whose owner is compressed, as bind writes it."""
    flags = 0x8180 | (0x0200 if truncated else 0)
    found = question[:2] + struct.pack(">5H", flags, 1, len(answers), 0, 0) + question[12:]
    for priority, weight, port in answers:
        target = b"\x04host\xc0\x17"  # host, and from `internal` on
        record = struct.pack(">3H", priority, weight, port) + target
        found += b"\xc0\x0c" + struct.pack(">2HIH", 33, 1, 0, len(record)) + record
    return found


def test_srv_records_are_read_from_a_name_servers_answer() -> None:
    question = b"\x12\x34" + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + NAME + struct.pack(">2H", 33, 1)
    assert portal.encoded("_calc._tcp.internal") == NAME
    targets = portal.targets(reply(question, (1, 1, 32768), (1, 1, 32769)))
    assert [(each.port, each.host) for each in targets] == [
        (32768, "host.internal"),
        (32769, "host.internal"),
    ]


def test_a_name_that_never_ends_is_an_error() -> None:
    with pytest.raises(OSError, match="never ends"):
        portal.name_at(b"\xc0\x00", 0)


def test_a_long_answer_is_asked_for_by_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal, "_servers", lambda: ["192.0.2.1"])

    def by_udp(server: str, question: bytes) -> bytes:
        return reply(question, truncated=True)

    def by_tcp(server: str, question: bytes) -> bytes:
        return reply(question, (1, 1, 7), (0, 1, 9))

    monkeypatch.setattr(portal, "_by_udp", by_udp)
    monkeypatch.setattr(portal, "_by_tcp", by_tcp)
    assert portal.found("_calc._tcp.internal") == [("host.internal", 9), ("host.internal", 7)]


def test_a_name_server_that_is_silent_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_udp(server: str, question: bytes) -> bytes:
        if server == "192.0.2.1":
            raise TimeoutError
        return reply(question, (1, 1, 7))

    monkeypatch.setattr(portal, "_servers", lambda: ["192.0.2.1", "192.0.2.2"])
    monkeypatch.setattr(portal, "_by_udp", by_udp)
    assert portal.found("_calc._tcp.internal") == [("host.internal", 7)]
