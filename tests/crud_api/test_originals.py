"""Each defect of the post's CRUD API: a scenario that ours passes and the post's own logic or template fails.

A test's name begins with the id of the row it stands for: `test_c5_2_…` is C5.2.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blueprints.checks.cache import Cache, default_folder
from blueprints.checks.finding import Source
from blueprints.checks.lint import lint
from blueprints.core.emit import to_text
from blueprints.crud_api import CrudApi, CrudConfig

from .conftest import DOCUMENTS, Api
from .originals import DEFECTS, TEMPLATE, Original

Scenario = Callable[[Any], None]
Template = dict[str, Any]


@pytest.fixture
def holds(api: Api) -> Callable[[Scenario], None]:
    """A scenario: ours passes it, the original does not."""

    def both(scenario: Scenario) -> None:
        scenario(api)
        with pytest.raises(AssertionError):
            scenario(Original())

    return both


@pytest.fixture
def stated() -> Callable[[Callable[[Template], None]], None]:
    """A statement about a template: ours fulfils it in its fullest shape, the original's does not."""
    ours = CrudApi(
        CrudConfig(
            auth="jwt", cors_origins=("https://app.example.com",), time_to_live_days=7, alarm_topic=True
        )
    ).template()

    def both(statement: Callable[[Template], None]) -> None:
        statement(ours)
        with pytest.raises(AssertionError):
            statement(TEMPLATE)

    return both


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def api_of(template: Template) -> dict[str, Any]:
    found = of_type(template, "AWS::Serverless::HttpApi")
    assert len(found) == 1
    return found[0]


def functions(template: Template) -> list[dict[str, Any]]:
    return of_type(template, "AWS::Serverless::Function")


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    tree = ast.parse(Path(__file__).read_text())
    names = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
    found = {match[1] for name in names if (match := re.match(r"test_c5_(\d+)_", name))}
    assert {f"C5.{number}" for number in found} == DEFECTS.keys()


def test_c5_1_the_runtime_is_one_that_lambda_takes() -> None:
    """cfn-lint knows the dates: E2531 is a runtime that can no longer be created."""
    cache = Cache(default_folder(), "lint", lambda line: None)
    sources = [
        Source("ours", CrudApi(CrudConfig(auth="iam")).render()),
        Source("original", to_text(TEMPLATE, "yaml")),
    ]
    ended = {each.template for each in lint(sources, cache) if each.rule in ("E2531", "E2533", "W2531")}
    assert ended == {"original"}


def test_c5_2_a_missing_document_is_not_found(holds: Any) -> None:
    def scenario(api: Any) -> None:
        assert api.call("GET", "nothing")["statusCode"] == 404

    holds(scenario)


def test_c5_2_an_empty_document_is_found(holds: Any) -> None:
    def scenario(api: Any) -> None:
        api.call("PUT", "empty", "")
        assert api.call("GET", "empty")["statusCode"] != api.call("GET", "nothing")["statusCode"]

    holds(scenario)


def test_c5_3_an_error_is_text_without_internals(holds: Any) -> None:
    def scenario(api: Any) -> None:
        api.table = "no-such-table"
        answer = api.call("GET")
        assert answer["statusCode"] == 500
        assert isinstance(answer["body"], str)
        assert "ResourceNotFound" not in answer["body"]

    holds(scenario)


def test_c5_4_no_function_has_more_than_one_action_in_its_table(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert not [each for each in functions(template) if "Policies" in each]
        for role in of_type(template, "AWS::IAM::Role"):
            allowed, *_ = role["Policies"][0]["PolicyDocument"]["Statement"]
            assert len(allowed["Action"]) == 1
            assert allowed["Resource"] == [{"Fn::GetAtt": ["Table", "Arn"]}]

    stated(statement)


def test_c5_5_callers_say_who_they_are(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert api_of(template)["Auth"]["DefaultAuthorizer"] == "Jwt"

    stated(statement)


def test_c5_5_scripts_of_named_sites_may_call(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert api_of(template)["CorsConfiguration"]["AllowOrigins"] == ["https://app.example.com"]

    stated(statement)


def test_c5_5_logs_are_kept_for_a_time(stated: Any) -> None:
    def statement(template: Template) -> None:
        groups = of_type(template, "AWS::Logs::LogGroup")
        assert len(groups) > len(functions(template))
        assert all(each["RetentionInDays"] for each in groups)
        assert all(each["LoggingConfig"]["LogFormat"] == "JSON" for each in functions(template))

    stated(statement)


def test_c5_5_somebody_is_told_of_failures(stated: Any) -> None:
    def statement(template: Template) -> None:
        alarms = of_type(template, "AWS::CloudWatch::Alarm")
        assert alarms
        assert all(each["AlarmActions"] == [{"Ref": "AlarmTopicArn"}] for each in alarms)

    stated(statement)


@pytest.mark.parametrize("key", ["", "x" * 2049])
def test_c5_5_a_malformed_request_is_the_callers_fault(holds: Any, key: str) -> None:
    def scenario(api: Any) -> None:
        assert api.call("PUT", key, "a")["statusCode"] == 400

    holds(scenario)


def test_c5_5_too_large_a_document_is_the_callers_fault(holds: Any) -> None:
    def scenario(api: Any) -> None:
        assert api.call("PUT", "large", "x" * 400 * 1024)["statusCode"] == 413

    holds(scenario)


def test_c5_5_documents_can_be_listed(holds: Any) -> None:
    def scenario(api: Any) -> None:
        api.call("PUT", "one", "a")
        answer = api.ask(f"GET {DOCUMENTS}", {})
        assert answer["statusCode"] == 200
        assert [each["id"] for each in json.loads(answer["body"])["items"]] == ["one"]

    holds(scenario)


def test_c5_5_a_document_has_a_version(holds: Any) -> None:
    def scenario(api: Any) -> None:
        written = api.call("PUT", body="a").get("headers", {})
        assert "ETag" in written
        assert api.call("GET")["headers"]["ETag"] == written["ETag"]

    holds(scenario)


def test_c5_5_a_write_does_not_undo_one_it_has_not_seen(holds: Any) -> None:
    def scenario(api: Any) -> None:
        api.call("PUT", body="a")
        assert api.call("PUT", body="b", headers={"If-Match": '"seen-before"'})["statusCode"] == 412
        assert api.call("GET")["body"] == "a"

    holds(scenario)


@pytest.mark.parametrize("raw", ["grüße".encode(), bytes(range(256))])
def test_c5_6_a_body_in_base64_is_decoded(holds: Any, raw: bytes) -> None:
    def scenario(api: Any) -> None:
        api.call("PUT", body=base64.b64encode(raw).decode(), isBase64Encoded=True)
        read = api.call("GET")
        body = base64.b64decode(read["body"]) if read.get("isBase64Encoded") else read["body"].encode()
        assert body == raw

    holds(scenario)


def test_c5_7_the_stack_tells_its_address_and_names_its_stage(stated: Any) -> None:
    def statement(template: Template) -> None:
        assert "ApiUrl" in template.get("Outputs", {})
        address, values = template["Outputs"]["ApiUrl"]["Value"]["Fn::Sub"]
        assert address.startswith("https://")
        assert values["Stage"] == {"Ref": "StageName"}
        assert "StageName" in template["Parameters"]

    stated(statement)


def test_c5_8_a_function_reads_the_variable_it_is_given(stated: Any) -> None:
    def statement(template: Template) -> None:
        for each in functions(template):
            given = each["Environment"]["Variables"].keys()
            read = set(
                re.findall(r"(?:environ\[\"|environ\.get\(\"|process\.env\.)(\w+)", each["InlineCode"])
            )
            assert "TABLE_NAME" in read
            assert given <= read
            assert read <= given | {"TIME_TO_LIVE_DAYS"}

    stated(statement)


def test_c5_9_documents_are_safe_from_deletion_and_from_readers(stated: Any) -> None:
    def statement(template: Template) -> None:
        table = template["Resources"]["Table"]
        assert table.get("UpdateReplacePolicy") == "Retain"
        assert table["DeletionPolicy"].startswith("Retain")
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["SSESpecification"]["SSEType"] == "KMS"
        assert properties["TimeToLiveSpecification"]["Enabled"] is True

    stated(statement)
