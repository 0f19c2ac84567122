"""What a client sent is what the event says, for any path, query, headers and body."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blueprints.local.http import Front
from tests.local.http.harness import NOW, Served, Stub, http_api, rest_api, route

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SEGMENT = TEXT.filter(bool)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=6)
NAME = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8).map("X-{}".format)
VALUE = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), max_size=12).map(
    lambda text: text.strip(" \t")
)
HEADERS = st.lists(st.tuples(NAME, VALUE), max_size=6)
FEW = settings(max_examples=60, deadline=None)


def served(api: Any) -> Iterator[Served]:
    stub, log = Stub(), list[str]()
    with Front([api], stub, clock=lambda: NOW, log=log.append) as front:
        yield Served(front, api, stub, log)


@pytest.fixture(scope="module")
def http_2() -> Iterator[Served]:
    yield from served(http_api(route("ANY /one/{id}"), route("ANY /{proxy+}")))


@pytest.fixture(scope="module")
def http_1() -> Iterator[Served]:
    yield from served(http_api(route("ANY /{proxy+}", "1.0")))


@pytest.fixture(scope="module")
def rest() -> Iterator[Served]:
    yield from served(
        rest_api(route("ANY /one/{id}", "1.0"), route("ANY /{proxy+}", "1.0"), binary_types=("*/*",))
    )


def by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


@FEW
@given(segment=SEGMENT, pairs=PAIRS)
def test_paths_and_queries_of_format_2(http_2: Served, segment: str, pairs: list[tuple[str, str]]) -> None:
    query = urlencode(pairs)
    assert http_2.send("GET", f"/one/{quote(segment, safe='')}?{query}").status == 200
    event = http_2.stub.event
    assert event["rawPath"] == f"/one/{segment}"
    assert event["pathParameters"] == {"id": segment}
    assert event["rawQueryString"] == query
    assert event.get("queryStringParameters", {}) == {n: ",".join(v) for n, v in by_name(pairs).items()}


@FEW
@given(segments=st.lists(SEGMENT, min_size=1, max_size=4), pairs=PAIRS)
def test_paths_and_queries_of_format_1(
    http_1: Served, segments: list[str], pairs: list[tuple[str, str]]
) -> None:
    path = "/".join(quote(each, safe="") for each in segments)
    assert http_1.send("GET", f"/{path}?{urlencode(pairs)}").status == 200
    event = http_1.stub.event
    assert event["path"] == "/" + "/".join(segments)
    assert event["pathParameters"] == {"proxy": "/".join(segments)}
    assert (event["multiValueQueryStringParameters"] or {}) == by_name(pairs)


@FEW
@given(segment=SEGMENT, pairs=PAIRS)
def test_paths_and_queries_of_rest_apis(rest: Served, segment: str, pairs: list[tuple[str, str]]) -> None:
    path = f"/one/{quote(segment, safe='')}"
    assert rest.send("GET", f"/test{path}?{urlencode(pairs)}").status == 200
    event = rest.stub.event
    assert (event["path"], event["pathParameters"]) == (path, {"id": segment})
    assert (event["multiValueQueryStringParameters"] or {}) == by_name(pairs)
    assert (event["queryStringParameters"] or {}) == {n: v[-1] for n, v in by_name(pairs).items()}


@FEW
@given(headers=HEADERS)
def test_headers(http_2: Served, rest: Served, headers: list[tuple[str, str]]) -> None:
    lower = by_name([(name.lower(), value) for name, value in headers])
    assert http_2.send("GET", "/x", headers).status == 200
    given_2 = http_2.stub.event["headers"]
    assert {name: given_2[name] for name in lower} == {name: ",".join(v) for name, v in lower.items()}
    assert rest.send("GET", "/test/x", headers).status == 200
    given_1 = {name.lower(): values for name, values in rest.stub.event["multiValueHeaders"].items()}
    assert {name: given_1[name] for name in lower} == lower
    spelt = {name for name, _ in headers}
    assert spelt & rest.stub.event["headers"].keys() or not spelt


@FEW
@given(body=st.binary(max_size=200))
def test_bodies(http_2: Served, rest: Served, body: bytes) -> None:
    for each, path in ((http_2, "/x"), (rest, "/test/x")):
        assert each.send("POST", path, {"Content-Type": "application/octet-stream"}, body).status == 200
        event = each.stub.event
        assert base64.b64decode(event.get("body") or "") == body
        assert event["isBase64Encoded"] == bool(body)


@FEW
@given(data=st.binary(max_size=300))
def test_no_bytes_end_the_server(http_2: Served, data: bytes) -> None:
    with http_2.wire() as wire:
        wire.send(data)
    assert http_2.send("GET", "/x").status == 200
    assert http_2.log == []
