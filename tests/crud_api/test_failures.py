"""What the caller and the log are told: of failures, of a busy table, and of every request."""

from __future__ import annotations

import json
import logging
import types
from typing import Any

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from .conftest import DESCRIPTION, DOCUMENT, DOCUMENTS, Api

METHODS = {
    f"GET {DOCUMENT}": "get_item",
    f"PUT {DOCUMENT}": "put_item",
    f"DELETE {DOCUMENT}": "delete_item",
    f"GET {DOCUMENTS}": "scan",
}
EVENT = {"pathParameters": {"resourceId": "one"}, "body": "a", "headers": {}}


@pytest.fixture
def failing(api: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Route and error -> what a function answers whose call to DynamoDB raises it."""

    def ask(route: str, error: Exception) -> dict[str, Any]:
        def fail(**_: Any) -> Any:
            raise error

        module = api.module(route)
        monkeypatch.setattr(module, "table", lambda: types.SimpleNamespace(**{METHODS[route]: fail}))
        return api.ask(route, EVENT, module)

    return ask


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "table/documents"}}, "GetItem")


UNREACHABLE = [
    EndpointConnectionError(endpoint_url="https://dynamodb"),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
]
BUSY = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
]


@pytest.mark.parametrize("route", METHODS)
@pytest.mark.parametrize("error", [*UNREACHABLE, *map(refusal, BUSY)], ids=repr)
def test_a_busy_table_is_503_and_a_time_to_come_back(failing: Any, route: str, error: Exception) -> None:
    answer = failing(route, error)
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "1"
    assert json.loads(answer["body"]) == {"message": "busy; ask again in a moment", "requestId": "api-1"}


@pytest.mark.parametrize("route", METHODS)
@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"]
)
def test_a_failure_of_ours_is_500_without_internals(failing: Any, route: str, code: str) -> None:
    answer = failing(route, refusal(code))
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {"message": "internal error", "requestId": "api-1"}


def test_what_failed_inside_is_in_the_log(failing: Any, caplog: pytest.LogCaptureFixture) -> None:
    failing(f"GET {DOCUMENT}", refusal("AccessDeniedException"))
    assert "AccessDeniedException" in caplog.text
    assert caplog.records[0].__dict__["apiRequestId"] == "api-1"


def test_why_the_table_was_busy_is_in_the_log(failing: Any, caplog: pytest.LogCaptureFixture) -> None:
    failing(f"GET {DOCUMENT}", refusal("ThrottlingException"))
    assert "ThrottlingException" in caplog.text


def test_every_attempt_ends_before_the_function_does(api: Api, template: dict[str, Any]) -> None:
    """botocore, "Retries": the pause before attempt n+1 is at most 2^(n-1) seconds in the standard mode."""
    for route in METHODS:
        config = api.module(route).SDK  # what the client is made with
        attempts = config.retries["total_max_attempts"]
        pauses = sum(2**index for index in range(attempts - 1))
        longest = attempts * (config.connect_timeout + config.read_timeout) + pauses
        assert longest < api.functions[route]["Timeout"]
    # and API Gateway waits for the function: "Quotas for HTTP APIs", 30 s
    assert all(each["Timeout"] < 30 for each in api.functions.values())


def test_the_client_is_made_once_and_as_the_settings_say(api: Api) -> None:
    module = api.module(f"GET {DOCUMENT}")
    assert module.table() is module.table()
    used = module.table().meta.client.meta.config
    assert (used.connect_timeout, used.read_timeout, used.retries["total_max_attempts"]) == (1, 2, 3)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log as Lambda writes it with LogFormat JSON; the runtime notes its id of the request on each record."""
    formatter = JsonFormatter()
    for record in caplog.records:
        record.__dict__["aws_request_id"] = "lambda-1"
    ours = [each for each in caplog.records if each.name == "root"]
    return [json.loads(formatter.format(each)) for each in ours]


@pytest.mark.parametrize("route", [*METHODS, f"GET {DESCRIPTION}"])
def test_every_request_leaves_one_line_of_json(
    api: Api, caplog: pytest.LogCaptureFixture, route: str
) -> None:
    with caplog.at_level(logging.INFO):
        answer = api.ask(route, EVENT)
    (line,) = lines(caplog)
    assert line["message"] == "answered"
    assert (line["level"], line["requestId"], line["apiRequestId"]) == ("INFO", "lambda-1", "api-1")
    assert (line["route"], line["status"]) == (route, answer["statusCode"])
    assert line["milliseconds"] >= 0


def test_the_line_names_the_version_that_was_written(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = api.call("PUT", body="a")
    assert lines(caplog)[-1]["version"] == answer["headers"]["ETag"]


@pytest.mark.parametrize("table", ["documents", "no-such-table"])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_no_document_id_or_token_gets_into_the_log(
    api: Api, caplog: pytest.LogCaptureFixture, method: str, table: str
) -> None:
    """The path, and in it the id, stands in the access log, whose lines have the same request id."""
    api.call("PUT", "an-id-of-somebody", "a secret document")
    api.table = table
    with caplog.at_level(logging.INFO):
        api.call(method, "an-id-of-somebody", "a secret document", {"Authorization": "Bearer a-token"})
    text = "".join(json.dumps(line) for line in lines(caplog))
    assert text
    assert not [word for word in ("secret", "an-id-of", "a-token") if word in text]


def test_an_event_of_no_api_is_answered(api: Api) -> None:
    """Somebody tries the function in the console."""
    assert api.ask(f"GET {DOCUMENT}", {"requestContext": {}, "routeKey": None})["statusCode"] == 400
