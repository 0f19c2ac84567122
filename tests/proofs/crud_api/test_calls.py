"""The post's three calls, by curl and by requests, and what a document carries."""

from __future__ import annotations

import json
import subprocess
import time
import uuid

import pytest
import requests

from blueprints.local.running import Running


@pytest.fixture
def document(url: str) -> str:
    return f"{url}/{uuid.uuid4()}"


def curl(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_put_get_and_delete_by_curl(document: str) -> None:
    assert curl("-X", "PUT", "-d", "hello", document) == (201, "")
    assert curl(document) == (200, "hello")
    assert curl("-X", "PUT", "-d", "world", document)[0] in (200, 204)
    assert curl(document) == (200, "world")
    assert curl("-X", "DELETE", document)[0] in (200, 204)
    status, body = curl(document)
    assert status == 404
    assert json.loads(body)["message"]


def test_put_get_and_delete_by_requests(document: str) -> None:
    made = requests.put(document, json={"a": 1}, timeout=30)
    assert made.status_code == 201
    found = requests.get(document, timeout=30)
    assert (found.status_code, found.json()) == (200, {"a": 1})
    assert found.headers["Content-Type"] == "application/json"
    assert found.headers["ETag"] == made.headers["ETag"]
    assert requests.delete(document, timeout=30).ok
    assert requests.get(document, timeout=30).status_code == 404


def test_bytes_come_back_as_they_went(document: str) -> None:
    picture = bytes(range(256)) * 64
    requests.put(document, data=picture, headers={"Content-Type": "image/png"}, timeout=30)
    found = requests.get(document, timeout=30)
    assert found.content == picture
    assert found.headers["Content-Type"] == "image/png"


def test_of_two_writers_of_one_version_one_is_refused(document: str) -> None:
    tag = requests.put(document, data="one", timeout=30).headers["ETag"]
    assert requests.put(document, data="two", headers={"If-Match": tag}, timeout=30).ok
    assert requests.put(document, data="three", headers={"If-Match": tag}, timeout=30).status_code == 412
    assert requests.get(document, timeout=30).text == "two"
    assert requests.put(document, data="four", headers={"If-None-Match": "*"}, timeout=30).status_code == 412


def test_a_list_is_walked_by_its_cursor(running: Running, url: str) -> None:
    names = {f"walk-{index}" for index in range(7)}
    for name in names:
        assert requests.put(f"{url}/{name}", data=name, timeout=30).ok
    seen: list[str] = []
    given: dict[str, str] = {"limit": "3"}
    while True:
        page = requests.get(url, params=given, timeout=30).json()
        assert len(page["items"]) <= 3
        seen += [each["id"] for each in page["items"]]
        if not page.get("cursor"):
            break
        given = {"limit": "3", "cursor": page["cursor"]}
    assert len(seen) == len(set(seen))
    assert names <= set(seen)
    assert requests.get(url, params={"cursor": "no cursor of ours"}, timeout=30).status_code == 400
    kept = running.aws.client("dynamodb").scan(TableName=running.stack.output("TableName"))["Items"]
    assert {each["id"]["S"] for each in kept} == set(seen)


def test_each_request_leaves_a_line_with_its_ids(
    document: str, running: Running, lines: list[tuple[str, str]]
) -> None:
    answer = requests.get(document, timeout=30)
    request_id = answer.json()["requestId"]
    deadline = time.monotonic() + 20  # logs come a moment after the answer
    told: list[dict[str, str]] = []
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
        told = [json.loads(line) for name, line in lines if name == "GetFunction" and request_id in line]
    assert told
    access = [json.loads(line) for name, line in lines if name == "api" and request_id in line]
    assert [(each["status"], each["routeKey"]) for each in access] == [("404", "GET /resource/{resourceId}")]
