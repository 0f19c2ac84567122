"""The OpenAPI document: it is valid, it says what the template offers, and what the functions answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from schemathesis import openapi as schemas

from blueprints.crud_api import CrudApi, CrudConfig
from blueprints.crud_api.openapi import document
from blueprints.crud_api.operations import FUNCTIONS, code

from .conftest import DESCRIPTION, DOCUMENT, DOCUMENTS, Api

REASON = "Public data, the same for everybody."
CONFIGS = [
    CrudConfig(auth=auth, auth_reason=REASON if auth == "none" else None, preconditions=preconditions)
    for auth in ("none", "iam", "jwt")
    for preconditions in ("optional", "required")
]
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda each: f"{each.auth}-{each.preconditions}")


def conforms(content: object, schema: dict[str, Any]) -> None:
    validator: Any = OAS30Validator(schema)
    validator.validate(content)


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


@each_config
def test_it_is_valid(config: CrudConfig) -> None:
    validate(document(config))


@each_config
def test_it_has_the_routes_of_the_template_and_no_others(config: CrudConfig) -> None:
    resources = CrudApi(config).template()["Resources"].values()
    functions = [each["Properties"] for each in resources if each["Type"] == "AWS::Serverless::Function"]
    events = [event["Properties"] for each in functions for event in each["Events"].values()]
    assert operations(document(config)).keys() == {f"{each['Method']} {each['Path']}" for each in events}


def test_the_api_serves_it_with_its_own_address(api: Api, template: dict[str, Any]) -> None:
    described = api.describe()
    validate(described)
    assert described["servers"] == [{"url": "https://api.example.com/Prod"}]
    reason = template["Resources"]["HttpApi"]["Metadata"]["OpenToAnybody"]
    expected = document(CrudConfig(auth="none", auth_reason=reason))
    assert {name: described[name] for name in expected} == expected


def test_a_client_can_be_made_from_it(api: Api) -> None:
    schema: Any = schemas.from_dict(api.describe())
    made = [each.ok() for each in schema.get_all_operations()]
    assert {f"{each.method.upper()} {each.path}" for each in made} == operations(document(CONFIGS[0])).keys()


@pytest.mark.parametrize(
    ("auth", "scheme", "statuses"),
    [("none", None, set[str]()), ("iam", "apiKey", {"403"}), ("jwt", "http", {"401", "403"})],
)
def test_it_says_who_may_call(auth: Any, scheme: str | None, statuses: set[str]) -> None:
    described = document(CrudConfig(auth=auth, auth_reason=REASON if auth == "none" else None))
    kinds = [each["type"] for each in described["components"].get("securitySchemes", {}).values()]
    assert kinds == ([scheme] if scheme else [])
    assert described["security"] == ([{auth: []}] if scheme else [])
    for operation in operations(described).values():
        assert operation["responses"].keys() & {"401", "403"} == statuses


@each_config
def test_it_has_every_status_that_a_function_refuses_with(config: CrudConfig) -> None:
    described = {each["operationId"]: each for each in operations(document(config)).values()}
    for function in FUNCTIONS:
        refused = set(re.findall(r"(?:RequestError|refused)\((\d{3})", code(function.handler)))
        assert {"400", "500", "503"} <= refused
        told = described[function.operations[0].name]["responses"].keys()
        never = {"428"} if config.preconditions == "optional" else set[str]()
        assert refused - never <= told
        assert told & {"428"} == refused & {"428"} - never


EXAMPLES: list[tuple[str, dict[str, Any], int]] = [
    (f"PUT {DOCUMENT}", {"body": "a"}, 201),
    (f"PUT {DOCUMENT}", {"body": "b"}, 200),
    (f"PUT {DOCUMENT}", {"body": "b", "headers": {"if-none-match": "*"}}, 412),
    (f"PUT {DOCUMENT}", {"body": "x" * 410_000}, 413),
    (f"PUT {DOCUMENT}", {"body": "*", "isBase64Encoded": True}, 400),
    (f"GET {DOCUMENT}", {}, 200),
    (f"GET {DOCUMENT}", {"pathParameters": {"resourceId": "other"}}, 404),
    (f"GET {DOCUMENTS}", {}, 200),
    (f"GET {DOCUMENTS}", {"queryStringParameters": {"limit": "0"}}, 400),
    (f"GET {DESCRIPTION}", {}, 200),
    (f"DELETE {DOCUMENT}", {"headers": {"if-match": '"x"'}}, 412),
    (f"DELETE {DOCUMENT}", {}, 204),
    (f"DELETE {DOCUMENT}", {}, 404),
]


def test_the_functions_answer_as_it_says(api: Api) -> None:
    """Status, headers and content of each answer are those of the document."""
    described = api.describe()
    for route, event, status in EXAMPLES:
        answer = api.ask(route, {"pathParameters": {"resourceId": "one"}} | event)
        assert answer["statusCode"] == status
        response = operations(described)[route]["responses"][str(status)]
        assert response.get("headers", {}).keys() <= answer["headers"].keys()
        kinds = response.get("content", {})
        assert bool(kinds) == bool(answer["body"])
        if "application/json" in kinds:
            assert answer["headers"]["Content-Type"] == "application/json"
            schema = kinds["application/json"]["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            conforms(json.loads(answer["body"]), described["components"]["schemas"].get(name, schema))
