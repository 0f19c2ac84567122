"""Versions: which writes happen, by what the caller says it has read."""

from __future__ import annotations

import types
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import DOCUMENT, Api


def test_if_none_match_writes_only_what_is_new(api: Api) -> None:
    only_new = {"If-None-Match": "*"}
    assert api.call("PUT", body="a", headers=only_new)["statusCode"] == 201
    assert api.call("PUT", body="b", headers=only_new)["statusCode"] == 412
    assert api.call("GET")["body"] == "a"


def test_if_match_writes_only_over_the_version_read(api: Api) -> None:
    api.call("PUT", body="a")
    version = api.call("GET")["headers"]["ETag"]
    written = api.call("PUT", body="b", headers={"if-match": version})
    assert written["statusCode"] == 200
    assert api.call("PUT", body="c", headers={"if-match": version})["statusCode"] == 412
    assert api.call("DELETE", headers={"if-match": version})["statusCode"] == 412
    assert api.call("DELETE", headers={"if-match": written["headers"]["ETag"]})["statusCode"] == 204


def test_a_document_made_anew_is_not_the_one_that_was_read(api: Api) -> None:
    version = api.call("PUT", body="a")["headers"]["ETag"]
    api.call("DELETE")
    api.call("PUT", body="b")
    assert api.call("PUT", body="c", headers={"if-match": version})["statusCode"] == 412


@pytest.mark.parametrize("version", ['"x"', 'W/"1"', '""', '"²"', '"' + "9" * 60 + '"'])
def test_a_version_that_cannot_be_is_not_matched(api: Api, version: str) -> None:
    api.call("PUT", body="a")
    assert api.call("PUT", body="b", headers={"if-match": version})["statusCode"] == 412
    assert api.call("GET")["body"] == "a"


def test_if_match_anything_needs_something(api: Api) -> None:
    assert api.call("PUT", body="a", headers={"if-match": "*"})["statusCode"] == 412
    assert api.call("GET")["statusCode"] == 404


def test_if_match_takes_a_list(api: Api) -> None:
    version = api.call("PUT", body="a")["headers"]["ETag"]
    assert api.call("PUT", body="b", headers={"if-match": f'"x" , {version},"y"'})["statusCode"] == 200


def test_a_weak_tag_is_not_a_match_for_writing(api: Api) -> None:
    """RFC 9110, section 13.1.1: If-Match compares strongly, and no weak tag is equal then."""
    version = api.call("PUT", body="a")["headers"]["ETag"]
    assert api.call("PUT", body="b", headers={"if-match": f"W/{version}"})["statusCode"] == 412


def test_if_none_match_compares_weakly(api: Api) -> None:
    """RFC 9110, section 13.1.2."""
    version = api.call("PUT", body="a")["headers"]["ETag"]
    assert api.call("PUT", body="b", headers={"if-none-match": f"W/{version}"})["statusCode"] == 412
    assert api.call("PUT", body="b", headers={"if-none-match": '"other"'})["statusCode"] == 200


def test_both_conditions_have_to_hold(api: Api) -> None:
    version = api.call("PUT", body="a")["headers"]["ETag"]
    both = {"if-match": version, "if-none-match": version}
    assert api.call("PUT", body="b", headers=both)["statusCode"] == 412
    assert api.call("PUT", body="b", headers=both | {"if-none-match": '"x"'})["statusCode"] == 200


def test_delete_under_conditions(api: Api) -> None:
    assert api.call("DELETE", headers={"if-match": "*"})["statusCode"] == 412
    api.call("PUT", body="a")
    assert api.call("DELETE", headers={"if-none-match": "*"})["statusCode"] == 412
    assert api.call("DELETE", headers={"if-match": "*"})["statusCode"] == 204


@pytest.mark.parametrize(
    "text", ["", "a", '"a', '"a" "b"', '"a",', 'w/"a"', '*, "a"', '"a\u0000"', '"a", ' * 9_000]
)
@pytest.mark.parametrize("name", ["if-match", "if-none-match"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_no_list_of_tags_is_the_callers_fault(api: Api, method: str, name: str, text: str) -> None:
    api.call("PUT", body="a")
    assert api.call(method, body="b", headers={name: text})["statusCode"] == 400
    assert api.call("GET")["body"] == "a"


@pytest.mark.parametrize(("count", "status"), [(100, 412), (101, 400)])
def test_a_list_has_as_many_tags_as_dynamodb_compares(api: Api, count: int, status: int) -> None:
    listed = ", ".join(f'"{index}"' for index in range(count))
    api.call("PUT", body="a")
    assert api.call("PUT", body="b", headers={"if-match": listed})["statusCode"] == status


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_may_have_to_say_what_it_replaces(rendered: Any, method: str) -> None:
    api = rendered(preconditions="required")
    assert api.call("PUT", body="a", headers={"if-none-match": "*"})["statusCode"] == 201
    assert api.call(method, body="b")["statusCode"] == 428
    assert api.call("GET")["body"] == "a"
    assert api.call(method, body="b", headers={"if-match": "*"})["statusCode"] in (200, 204)


@pytest.mark.parametrize(
    ("condition", "status"), [({"if-none-match": "*"}, 201), ({"if-match": '"old"'}, 200)]
)
def test_a_write_whose_answer_was_lost_is_not_refused_the_second_time(
    api: Api, table: Any, monkeypatch: pytest.MonkeyPatch, condition: dict[str, str], status: int
) -> None:
    """The SDK repeats a request that had no answer; the first one may have been carried out."""
    if "if-match" in condition:
        table.put_item(Item={"id": "one", "etag": "old"})
    module = api.module(f"PUT {DOCUMENT}")
    real = module.table()

    def put_item(**request: Any) -> Any:
        real.put_item(**request)
        return real.put_item(**request)

    monkeypatch.setattr(module, "table", lambda: types.SimpleNamespace(put_item=put_item))
    event = {"pathParameters": {"resourceId": "one"}, "body": "new", "headers": condition}
    written = api.ask(f"PUT {DOCUMENT}", event, module)
    assert written["statusCode"] == status
    read = api.call("GET")
    assert (read["body"], read["headers"]["ETag"]) == ("new", written["headers"]["ETag"])


def test_two_writers_who_read_the_same_version_do_not_both_win(api: Api) -> None:
    version = api.call("PUT", body="a")["headers"]["ETag"]
    answers = [api.call("PUT", body=each, headers={"if-match": version})["statusCode"] for each in "bc"]
    assert answers == [200, 412]
    assert api.call("GET")["body"] == "b"


def test_failures_other_than_a_condition_are_not_taken_for_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = api.module(f"DELETE {DOCUMENT}")

    def delete_item(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DeleteItem")

    monkeypatch.setattr(module, "table", lambda: types.SimpleNamespace(delete_item=delete_item))
    event = {"pathParameters": {"resourceId": "one"}, "headers": {"if-match": "*"}}
    assert api.ask(f"DELETE {DOCUMENT}", event, module)["statusCode"] == 500
