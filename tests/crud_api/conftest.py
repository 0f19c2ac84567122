"""The functions of the rendered template, against an emulated DynamoDB."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from blueprints.checks import template as templates
from blueprints.crud_api import CrudApi, CrudConfig

TEMPLATE = Path(__file__).parents[2] / "templates" / "example" / "crud-api.yaml"
TABLE = "documents"
DOCUMENT, DOCUMENTS, DESCRIPTION = "/resource/{resourceId}", "/resource", "/openapi.json"


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return templates.load(TEMPLATE.read_text())


class Context:
    aws_request_id = "lambda-1"


class Api:
    """The functions of a template: their inline code, handler and environment, by the routes they answer."""

    def __init__(self, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.table = TABLE
        self.functions = {
            f"{route['Method']} {route['Path']}": each["Properties"]
            for each in template["Resources"].values()
            if each["Type"] == "AWS::Serverless::Function"
            for route in (event["Properties"] for event in each["Properties"]["Events"].values())
        }

    def module(self, route: str) -> types.ModuleType:
        """What a function starts with: its code, its environment and nothing that an earlier request left."""
        function = self.functions[route]
        for name, value in function["Environment"]["Variables"].items():
            self.monkeypatch.setenv(name, self.table if name == "TABLE_NAME" else value)
        module = types.ModuleType("index")
        exec(compile(function["InlineCode"], "index.py", "exec"), vars(module))  # noqa: S102 - that is the test
        return module

    def ask(
        self, route: str, event: dict[str, Any], module: types.ModuleType | None = None
    ) -> dict[str, Any]:
        """Lambda's answer to an event of API Gateway's, which is JSON as the event is."""
        handler = getattr(
            module or self.module(route), self.functions[route]["Handler"].removeprefix("index.")
        )
        request = {"requestId": "api-1", "domainName": "api.example.com", "stage": "Prod"}
        said = handler(
            json.loads(json.dumps({"routeKey": route, "requestContext": request} | event)), Context()
        )
        return json.loads(json.dumps(said))

    def call(
        self,
        method: str,
        key: str = "one",
        body: str | None = None,
        headers: dict[str, str] | None = None,
        **event: Any,
    ) -> dict[str, Any]:
        """A request for one document. API Gateway has the names of headers in lower case."""
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        asked: dict[str, Any] = {"pathParameters": {"resourceId": key}, "body": body, "headers": lower}
        return self.ask(f"{method} {DOCUMENT}", asked | event)

    def page(self, **query: str) -> dict[str, Any]:
        """A request for a page of the list."""
        return self.ask(f"GET {DOCUMENTS}", {"queryStringParameters": query or None})

    def describe(self) -> dict[str, Any]:
        return json.loads(self.ask(f"GET {DESCRIPTION}", {})["body"])


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, template: dict[str, Any]) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    properties = template["Resources"]["Table"]["Properties"]
    with mock_aws():
        aws: Any = boto3
        yield aws.resource("dynamodb").create_table(
            TableName=TABLE,
            **{name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")},
        )


@pytest.fixture
def api(template: dict[str, Any], table: Any, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(template, monkeypatch)


@pytest.fixture
def rendered(table: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Api]:
    """An API of another shape: settings -> its functions."""

    def render(**settings: Any) -> Api:
        return Api(CrudApi(CrudConfig(auth="iam", **settings)).template(), monkeypatch)

    return render
