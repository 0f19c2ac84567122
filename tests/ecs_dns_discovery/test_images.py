"""The resource that has the images built: exactly one answer to CloudFormation, whatever happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from blueprints.ecs_dns_discovery.functions import images


class CodeBuild:
    """Builds that end as a test says, after so many looks."""

    def __init__(self, *states: str, error: Exception | None = None) -> None:
        self.states, self.error = list(states), error
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def start_build(self, **given: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.started.append(given)
        return {"build": {"id": "build:1"}}

    def batch_get_builds(self, ids: list[str]) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"builds": [{"buildStatus": state}]}

    def stop_build(self, id: str) -> None:  # noqa: A002 - the API's own name
        self.stopped.append(id)


class Context:
    """Lambda's, with so many seconds left at first and ten less at each look."""

    def __init__(self, seconds: float = 900) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        self.seconds -= 10
        return int(self.seconds * 1000)


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What CloudFormation is told; `url` leads there."""
    answers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    Given.url = f"http://127.0.0.1:{server.server_address[1]}/stack?X-Amz-Signature=1"
    yield answers
    server.shutdown()
    server.server_close()


class Given:
    """Where answers go."""

    url = ""


@pytest.fixture
def ask(told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A request of CloudFormation's -> the one answer to it."""

    def asked(
        request: str, codebuild: CodeBuild, context: Context | None = None, **more: Any
    ) -> dict[str, Any]:
        monkeypatch.setenv("PROJECT", "images")
        monkeypatch.setattr(images.boto3, "client", {"codebuild": codebuild}.__getitem__)
        slept: list[float] = []
        monkeypatch.setattr(images.time, "sleep", slept.append)
        event = {
            "RequestType": request, "ResponseURL": Given.url, "StackId": "stack", "RequestId": "request-1",
            "LogicalResourceId": "ServiceImages", **more,
        }  # fmt: skip
        images.handler(event, context or Context())
        assert len(told) == 1
        return told[0]

    return asked


def test_an_answer_comes_when_the_build_is_done(ask: Any) -> None:
    codebuild = CodeBuild("IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED")
    answer = ask("Create", codebuild)
    assert answer == {
        "Status": "SUCCESS", "Reason": "build:1", "PhysicalResourceId": "ServiceImages", "StackId": "stack",
        "RequestId": "request-1", "LogicalResourceId": "ServiceImages",
    }  # fmt: skip
    assert codebuild.started == [{"projectName": "images", "idempotencyToken": "request-1"}]


@pytest.mark.parametrize("state", ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_a_build_that_fails_fails_the_stack(ask: Any, state: str) -> None:
    answer = ask("Create", CodeBuild("IN_PROGRESS", state))
    assert answer["Status"] == "FAILED"
    assert state in answer["Reason"]


def test_a_build_that_takes_too_long_is_stopped(ask: Any) -> None:
    codebuild = CodeBuild("IN_PROGRESS")
    assert ask("Update", codebuild, PhysicalResourceId="ServiceImages")["Status"] == "FAILED"
    assert codebuild.stopped == ["build:1"]


def test_an_exception_is_an_answer(ask: Any) -> None:
    answer = ask("Create", CodeBuild("", error=PermissionError("denied")))
    assert answer["Status"] == "FAILED"
    assert "denied" in answer["Reason"]


def test_an_unknown_request_is_an_answer(ask: Any) -> None:
    assert ask("Rename", CodeBuild(""))["Status"] == "FAILED"


def test_deletion_needs_no_permission(ask: Any) -> None:
    assert ask("Delete", CodeBuild("", error=PermissionError("denied")))["Status"] == "SUCCESS"


def test_the_id_never_changes(ask: Any) -> None:
    answer = ask("Update", CodeBuild("SUCCEEDED"), PhysicalResourceId="before")
    assert answer["PhysicalResourceId"] == "before"


def test_an_answer_that_does_not_arrive_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    event = {
        "ResponseURL": "http://127.0.0.1:9/x?y",
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "l",
    }
    images.respond(event, "SUCCESS", "", slept.append)
    assert slept == [1, 2, 4, 8]
