"""Documents: stored, read and removed by the handlers of the rendered template."""

from __future__ import annotations

import base64
import json
import types
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api

INERT = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


def test_a_document_comes_back_as_it_was_stored(api: Api) -> None:
    stored = api.call("PUT", body='{"a": 1}', headers={"Content-Type": "application/json"})
    assert (stored["statusCode"], stored["body"]) == (201, "")
    read = api.call("GET")
    assert (read["statusCode"], read["body"], read["isBase64Encoded"]) == (200, '{"a": 1}', False)
    assert read["headers"] == {"Content-Type": "application/json", "ETag": stored["headers"]["ETag"]} | INERT


def test_a_missing_document_is_404(api: Api) -> None:
    answer = api.call("GET", "nothing")
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"]) == {"message": "no such resource", "requestId": "api-1"}


def test_no_browser_runs_a_document_as_a_page_of_the_api(api: Api) -> None:
    """Whoever writes chooses the type, so a link to a document must not become a script of this site."""
    api.call("PUT", body="<script>alert(1)</script>", headers={"Content-Type": "text/html"})
    assert INERT.items() <= api.call("GET")["headers"].items()


def test_items_that_the_post_stored_can_be_read(api: Api, table: Any) -> None:
    """It kept an id and a document, and nothing else."""
    table.put_item(Item={"id": "old", "doc": "from 2016"})
    read = api.call("GET", "old")
    assert (read["statusCode"], read["body"], read["headers"]["Content-Type"]) == (
        200,
        "from 2016",
        "text/plain",
    )
    assert api.call("PUT", "old", "new", {"If-Match": '"guess"'})["statusCode"] == 412
    assert api.call("PUT", "old", "new", {"If-Match": "*"})["statusCode"] == 200


def test_whoever_has_written_reads_what_was_written(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB, "Read consistency": only a consistent read sees every write before it."""
    module = api.module("GET /resource/{resourceId}")
    asked: list[dict[str, Any]] = []

    def get_item(**request: Any) -> dict[str, Any]:
        asked.append(request)
        return {}

    monkeypatch.setattr(module, "table", lambda: types.SimpleNamespace(get_item=get_item))
    api.ask("GET /resource/{resourceId}", {"pathParameters": {"resourceId": "one"}}, module)
    assert asked == [{"Key": {"id": "one"}, "ConsistentRead": True}]


def test_an_empty_document_is_not_a_missing_one(api: Api) -> None:
    api.call("PUT", body=None)
    assert api.call("GET")["statusCode"] == 200
    assert api.call("GET")["body"] == ""


def test_a_replaced_document_has_another_version(api: Api) -> None:
    first, second = api.call("PUT", body="a"), api.call("PUT", body="b")
    assert (first["statusCode"], second["statusCode"]) == (201, 200)
    assert first["headers"]["ETag"] != second["headers"]["ETag"]
    assert api.call("GET")["body"] == "b"


def test_delete(api: Api) -> None:
    api.call("PUT", body="a")
    assert api.call("DELETE")["statusCode"] == 204
    assert api.call("GET")["statusCode"] == 404
    assert api.call("DELETE")["statusCode"] == 404


LIMIT = 400 * 1024
SIZES = {"id": len("one"), "type": len("application/octet-stream"), "etag": 32, "updated": 25, "doc": 0}
OVERHEAD = sum(len(name) + size for name, size in SIZES.items())


@pytest.mark.parametrize(("length", "status"), [(LIMIT - OVERHEAD, 500), (LIMIT - OVERHEAD + 1, 413)])
def test_too_large_a_document_does_not_reach_the_table(api: Api, length: int, status: int) -> None:
    """DynamoDB, "Constraints": 400 KB an item, attribute names and values together."""
    api.table = "no-such-table"  # a document that fits fails there instead
    assert api.call("PUT", body="x" * length)["statusCode"] == status


EXPIRES = len("expires") + 10 // 2 + 1


@pytest.mark.parametrize(
    ("length", "status"), [(LIMIT - OVERHEAD - EXPIRES, 500), (LIMIT - OVERHEAD - EXPIRES + 1, 413)]
)
def test_the_end_of_a_document_takes_room_as_well(rendered: Any, length: int, status: int) -> None:
    """DynamoDB, "Item sizes and formats": a number takes a byte for two digits, and one more."""
    api = rendered(time_to_live_days=1)
    api.table = "no-such-table"
    assert api.call("PUT", body="x" * length)["statusCode"] == status


def test_a_document_that_dynamodb_finds_too_large_is_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its count has the last word."""
    module = api.module("PUT /resource/{resourceId}")
    refused = {"Code": "ValidationException", "Message": "Item size has exceeded the maximum allowed size"}

    def put_item(**_: Any) -> Any:
        raise ClientError({"Error": refused}, "PutItem")

    monkeypatch.setattr(module, "table", lambda: types.SimpleNamespace(put_item=put_item))
    event = {"pathParameters": {"resourceId": "one"}, "body": "a"}
    assert api.ask("PUT /resource/{resourceId}", event, module)["statusCode"] == 413


def test_a_document_of_390_kilobytes(api: Api) -> None:
    assert api.call("PUT", body="x" * 390 * 1024)["statusCode"] == 201
    assert len(api.call("GET")["body"]) == 390 * 1024


def test_the_limit_counts_bytes_and_not_characters(api: Api) -> None:
    assert api.call("PUT", body="ä" * (LIMIT // 2))["statusCode"] == 413


def test_text_in_base64_is_stored_as_text(api: Api) -> None:
    """The original stored the base64 itself."""
    api.call("PUT", body=base64.b64encode("grüße".encode()).decode(), isBase64Encoded=True)
    assert api.call("GET")["body"] == "grüße"


def test_bytes_come_back_as_bytes(api: Api) -> None:
    raw = bytes(range(256))
    api.call(
        "PUT",
        body=base64.b64encode(raw).decode(),
        isBase64Encoded=True,
        headers={"content-type": "image/png"},
    )
    read = api.call("GET")
    assert read["isBase64Encoded"] is True
    assert base64.b64decode(read["body"]) == raw
    assert read["headers"]["Content-Type"] == "image/png"


def test_base64_that_is_none_is_the_callers_fault(api: Api) -> None:
    answer = api.call("PUT", body="*not base64*", isBase64Encoded=True)
    assert answer["statusCode"] == 400


@pytest.mark.parametrize("key", ["", "x" * 2049, "ä" * 1025])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_ids_that_cannot_be_a_key(api: Api, method: str, key: str) -> None:
    assert api.call(method, key)["statusCode"] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("key", ["x" * 2048, "ä" * 1024, "a/b", "a b", ".", "\u0000", "🙂"])
def test_ids_of_up_to_2048_bytes(api: Api, method: str, key: str) -> None:
    api.call("PUT", key, "a")
    assert api.call(method, key)["statusCode"] in (200, 204)


def test_ids_are_compared_byte_by_byte(api: Api) -> None:
    """Both are shown as ä."""
    api.call("PUT", "\u00e4", "composed")
    assert api.call("GET", "a\u0308")["statusCode"] == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_half_a_surrogate_pair_is_no_id(api: Api, method: str) -> None:
    assert api.call(method, "\ud800")["statusCode"] == 400


def test_half_a_surrogate_pair_is_no_document(api: Api) -> None:
    answer = api.call("PUT", body="\ud800")
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["message"] == "half a surrogate pair is no text"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_event_without_the_id(api: Api, method: str) -> None:
    assert api.call(method, pathParameters=None)["statusCode"] == 400


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()),
    raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")),
)
def test_any_document_comes_back(api: Api, key: str, raw: bytes) -> None:
    stored = api.call("PUT", key, base64.b64encode(raw).decode(), isBase64Encoded=True)
    assert stored["statusCode"] in (200, 201)
    read = api.call("GET", key)
    body = base64.b64decode(read["body"]) if read["isBase64Encoded"] else read["body"].encode()
    assert body == raw
