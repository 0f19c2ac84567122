"""The handlers, from the rendered template, against an emulated DynamoDB."""

from __future__ import annotations

import base64
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from blueprints.checks import template as templates

TEMPLATE = Path(__file__).parent.parent.parent / "templates" / "example" / "crud-api.yaml"
TABLE = "documents"


class Context:
    aws_request_id = "request-1"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return templates.load(TEMPLATE.read_text())


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, template: dict[str, Any]) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("TABLE_NAME", TABLE)
    properties = template["Resources"]["Table"]["Properties"]
    with mock_aws():
        aws: Any = boto3
        yield aws.resource("dynamodb").create_table(
            TableName=TABLE,
            **{name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")},
        )


class Api:
    """The three functions as the template has them: inline code, handler and environment of each."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.functions = {
            each["Properties"]["Events"]["Api"]["Properties"]["Method"]: each["Properties"]
            for each in template["Resources"].values()
            if each["Type"] == "AWS::Serverless::Function"
        }

    def call(self, method: str, key: str = "one", body: str | None = None, **event: Any) -> dict[str, Any]:
        function = self.functions[method]
        module = types.ModuleType("index")
        exec(compile(function["InlineCode"], "index.py", "exec"), vars(module))  # noqa: S102 - that is the test
        handler = getattr(module, function["Handler"].removeprefix("index."))
        answer = handler({"pathParameters": {"resourceId": key}, "body": body, **event}, Context())
        json.dumps(answer)  # API Gateway takes nothing else
        return answer


@pytest.fixture
def api(template: dict[str, Any], table: Any) -> Api:
    return Api(template)


def test_a_document_comes_back_as_it_was_stored(api: Api) -> None:
    stored = api.call("PUT", body='{"a": 1}', headers={"Content-Type": "application/json"})
    assert (stored["statusCode"], stored["body"]) == (201, "")
    read = api.call("GET")
    assert (read["statusCode"], read["body"], read["isBase64Encoded"]) == (200, '{"a": 1}', False)
    assert read["headers"] == {"Content-Type": "application/json", "ETag": stored["headers"]["ETag"]}


def test_a_missing_item_is_404_and_not_an_empty_success(api: Api) -> None:
    """The original answered 200 with an empty body."""
    answer = api.call("GET", "nothing")
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"]) == {"message": "no such resource"}


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


def test_errors_are_json_text_without_internals(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The original handed over an object, which API Gateway turns into 502, with the error's text in it."""
    monkeypatch.setenv("TABLE_NAME", "no-such-table")
    answer = api.call("GET")
    assert answer["statusCode"] == 500
    assert isinstance(answer["body"], str)
    assert json.loads(answer["body"]) == {"message": "internal error", "requestId": "request-1"}


def test_what_failed_inside_is_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TABLE_NAME", "no-such-table")
    api.call("GET")
    assert "ResourceNotFoundException" in caplog.text


LIMIT = 400 * 1024
OVERHEAD = (
    len("id") + len("one") + len("doc") + len("type") + len("application/octet-stream") + len("etag") + 32
)


@pytest.mark.parametrize(("length", "status"), [(LIMIT - OVERHEAD, 500), (LIMIT - OVERHEAD + 1, 413)])
def test_too_large_a_document_does_not_reach_the_table(
    api: Api, monkeypatch: pytest.MonkeyPatch, length: int, status: int
) -> None:
    """DynamoDB, "Service quotas": 400 KB an item, attribute names and values together."""
    monkeypatch.setenv("TABLE_NAME", "no-such-table")  # a document that fits fails there instead
    assert api.call("PUT", body="x" * length)["statusCode"] == status


def test_a_document_that_dynamodb_finds_too_large_is_413(api: Api) -> None:
    """Its count, an update of an item included, has the last word."""
    assert api.call("PUT", body="x" * (LIMIT - OVERHEAD))["statusCode"] == 413


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


@pytest.mark.parametrize("version", ['"x"', 'W/"1"', '"-1"', '"²"', '"' + "9" * 60 + '"'])
def test_a_version_that_cannot_be_is_not_matched(api: Api, version: str) -> None:
    api.call("PUT", body="a")
    assert api.call("PUT", body="b", headers={"if-match": version})["statusCode"] == 412
    assert api.call("GET")["body"] == "a"


def test_if_match_anything_needs_something(api: Api) -> None:
    assert api.call("PUT", body="a", headers={"if-match": "*"})["statusCode"] == 412
    assert api.call("GET")["statusCode"] == 404


@pytest.mark.parametrize("key", ["", "x" * 2049, "ä" * 1025])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_ids_that_cannot_be_a_key(api: Api, method: str, key: str) -> None:
    assert api.call(method, key)["statusCode"] == 400


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


def test_each_function_may_only_do_its_own_operation(template: dict[str, Any]) -> None:
    """The originals held full access to every table of the account."""
    granted = {}
    for name in ("Get", "Put", "Delete"):
        policy = template["Resources"][f"{name}FunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]
        tables = [each for each in policy["Statement"] if each["Action"][0].startswith("dynamodb:")]
        assert [each["Resource"] for each in tables] == [[{"Fn::GetAtt": ["Table", "Arn"]}]]
        granted[name] = tables[0]["Action"]
    assert granted == {
        "Get": ["dynamodb:GetItem"],
        "Put": ["dynamodb:UpdateItem"],
        "Delete": ["dynamodb:DeleteItem"],
    }
