"""The list of documents, page by page, and documents whose time has passed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from .conftest import Api


def listed(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["statusCode"] == 200
    return json.loads(answer["body"])


def test_an_empty_table_is_an_empty_page(api: Api) -> None:
    assert listed(api.page()) == {"items": [], "cursor": None}


def test_an_entry_tells_what_a_reader_needs_and_not_the_document(api: Api) -> None:
    stored = api.call("PUT", "one", "secret", {"Content-Type": "text/csv"})
    (entry,) = listed(api.page())["items"]
    assert entry.keys() == {"id", "version", "type", "updated"}
    assert (entry["id"], entry["type"]) == ("one", "text/csv")
    assert f'"{entry["version"]}"' == stored["headers"]["ETag"]
    assert entry["updated"].endswith("+00:00")


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_every_document_once(api: Api, limit: int) -> None:
    keys = {"ä" * 1024, "x" * 2048, "\u0000", "🙂", "a/b", "=", "~?~>"}
    for key in keys:
        api.call("PUT", key, "a")
    found: list[str] = []
    query: dict[str, str] = {}
    while "cursor" not in query or query["cursor"]:
        page = listed(api.page(limit=str(limit), **query))
        assert len(page["items"]) <= limit
        found += [each["id"] for each in page["items"]]
        query = {"cursor": page["cursor"]}
    assert sorted(found) == sorted(keys)


def test_a_page_has_25_entries_unless_asked(api: Api, table: Any) -> None:
    with table.batch_writer() as batch:
        for index in range(30):
            batch.put_item(Item={"id": str(index)})
    assert len(listed(api.page())["items"]) == 25


def test_a_cursor_fits_into_a_request(api: Api) -> None:
    """API Gateway, "Quotas for HTTP APIs": request line and headers have 10,240 bytes together."""
    api.call("PUT", "\u0000" * 2048, "a")
    api.call("PUT", "x" * 2048, "a")
    assert len(listed(api.page(limit="1"))["cursor"]) < 2_800


def test_a_cursor_holds_an_id_and_nothing_else(api: Api) -> None:
    """So one from another table, or a forged one, shows nothing that the list does not show anyway."""
    for key in "abc":
        api.call("PUT", key, "a")
    cursor = listed(api.page(limit="1"))["cursor"]
    assert base64.urlsafe_b64decode(cursor + "==").decode() in "abc"
    forged = base64.urlsafe_b64encode(b"an id of another table").decode().rstrip("=")
    assert {each["id"] for each in listed(api.page(cursor=forged))["items"]} <= {"a", "b", "c"}


def tag(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "*", "ä", "a", "YQ==", "YR", "YQ\n", " YQ", tag(b"\xff"), tag(b"x" * 2049), "A" * 9_000 + "*"],
)
def test_a_garbled_cursor_is_the_callers_fault(api: Api, cursor: str) -> None:
    assert api.page(cursor=cursor)["statusCode"] == 400


@pytest.mark.parametrize("limit", ["", "0", "101", "-1", "1.5", "²", "ten", "1,2", "1" * 5_000])
def test_a_limit_is_a_number_from_1_to_100(api: Api, limit: str) -> None:
    assert api.page(limit=limit)["statusCode"] == 400


def test_items_that_the_post_stored_are_listed(api: Api, table: Any) -> None:
    table.put_item(Item={"id": "old", "doc": "from 2016"})
    assert listed(api.page())["items"] == [{"id": "old", "version": None, "type": None, "updated": None}]


@pytest.fixture
def past(table: Any) -> Any:
    """Stores a document whose time has passed, and which DynamoDB has not come to delete."""

    def store(key: str) -> None:
        ended = int(time.time()) - 1
        table.put_item(Item={"id": key, "doc": "a", "type": "text/plain", "etag": "old", "expires": ended})

    return store


def test_documents_end_when_the_settings_say_so(rendered: Any, table: Any) -> None:
    rendered(time_to_live_days=2).call("PUT", body="a")
    left = int(table.get_item(Key={"id": "one"})["Item"]["expires"]) - time.time()
    assert 2 * 86_400 - 60 < left <= 2 * 86_400


def test_documents_stay_unless_the_settings_say_so(api: Api, table: Any) -> None:
    api.call("PUT", body="a")
    assert "expires" not in table.get_item(Key={"id": "one"})["Item"]


def test_a_write_begins_a_documents_time_anew(rendered: Any, table: Any, past: Any) -> None:
    past("one")
    rendered(time_to_live_days=1).call("PUT", body="a")
    assert table.get_item(Key={"id": "one"})["Item"]["expires"] > time.time()


def test_a_document_whose_time_has_not_passed_is_there(rendered: Any) -> None:
    api = rendered(time_to_live_days=1)
    version = api.call("PUT", body="a")["headers"]["ETag"]
    assert api.call("GET")["statusCode"] == 200
    assert len(listed(api.page())["items"]) == 1
    assert api.call("PUT", body="b", headers={"if-none-match": "*"})["statusCode"] == 412
    assert api.call("PUT", body="b", headers={"if-match": version})["statusCode"] == 200


def test_a_document_whose_time_has_passed_is_gone(api: Api, past: Any) -> None:
    """DynamoDB, "Working with expired items": it deletes them late, and answers with them until then."""
    past("one")
    assert api.call("GET")["statusCode"] == 404
    assert listed(api.page()) == {"items": [], "cursor": None}
    assert api.call("DELETE")["statusCode"] == 404


def test_expired_documents_leave_pages_short_and_the_cursor_in_place(api: Api, past: Any) -> None:
    for key in "abc":
        past(key)
    page = listed(api.page(limit="2"))
    assert page["items"] == []
    assert page["cursor"] is not None


@pytest.mark.parametrize(
    ("condition", "status"),
    [({}, 201), ({"if-none-match": "*"}, 201), ({"if-match": '"old"'}, 412), ({"if-match": "*"}, 412)],
)
def test_writes_take_an_expired_document_for_none(
    api: Api, past: Any, condition: dict[str, str], status: int
) -> None:
    past("one")
    assert api.call("PUT", body="b", headers=condition)["statusCode"] == status
