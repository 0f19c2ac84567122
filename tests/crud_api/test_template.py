"""CRUD API: what the template promises, and the shapes that the example stack does not show."""

from __future__ import annotations

import ast
import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blueprints import crud_api
from blueprints.core import Environment
from blueprints.crud_api import CrudApi, CrudConfig
from blueprints.crud_api.openapi import document
from blueprints.review.variants import variants


def resources(config: CrudConfig, environment: Environment | None = None) -> dict[str, Any]:
    return CrudApi(config, environment).template()["Resources"]


IAM = CrudConfig(auth="iam")


def functions(config: CrudConfig) -> dict[str, Any]:
    return {
        name: each["Properties"]
        for name, each in resources(config).items()
        if each["Type"] == "AWS::Serverless::Function"
    }


def test_every_operation_is_a_route_of_the_explicit_api() -> None:
    events = [event["Properties"] for each in functions(IAM).values() for event in each["Events"].values()]
    assert {(each["Method"], each["Path"]) for each in events} == {
        ("GET", "/resource/{resourceId}"),
        ("PUT", "/resource/{resourceId}"),
        ("DELETE", "/resource/{resourceId}"),
        ("GET", "/resource"),
        ("GET", "/openapi.json"),
    }
    assert all(each["ApiId"] == {"Ref": "HttpApi"} for each in events)
    assert resources(IAM)["HttpApi"]["Type"] == "AWS::Serverless::HttpApi"


def test_each_function_may_do_one_thing_in_the_table() -> None:
    """The post's held full access to every table of the account."""
    found = resources(CrudConfig(auth="iam", tracing=True))
    granted: dict[str, list[str]] = {}
    for name in functions(IAM):
        statements = found[f"{name}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        in_table, in_logs = statements
        assert in_table["Resource"] == [{"Fn::GetAtt": ["Table", "Arn"]}]
        assert in_logs["Resource"] == [{"Fn::GetAtt": [f"{name}LogGroup", "Arn"]}]
        granted[name] = in_table["Action"]
    assert granted == {
        "GetFunction": ["dynamodb:GetItem"],
        "PutFunction": ["dynamodb:PutItem"],
        "DeleteFunction": ["dynamodb:DeleteItem"],
        "ListFunction": ["dynamodb:Scan"],
    }


def test_a_function_is_a_part_of_the_module_as_it_stands() -> None:
    """What is reviewed is what runs: definitions are left out, and none is changed or added."""
    whole = (Path(crud_api.__file__).parent / "functions" / "resource.py").read_text()
    reviewed = [ast.get_source_segment(whole, each) for each in ast.parse(whole).body]
    carried: set[str | None] = set()
    for name, function in functions(IAM).items():
        code = function["InlineCode"]
        statements = [ast.get_source_segment(code, each) for each in ast.parse(code).body]
        assert [each for each in reviewed if each in statements] == statements, name
        assert len(statements) < len(reviewed), name
        assert set(code.splitlines()) <= set(whole.splitlines()), name
        carried.update(statements)
    assert [each for each in reviewed if each not in carried] == []


def test_a_function_carries_one_operation_of_the_table() -> None:
    asked = {
        name: set(re.findall(r"table\(\)\.(\w+)", function["InlineCode"]))
        for name, function in functions(IAM).items()
    }
    assert asked == {
        "GetFunction": {"get_item"},
        "PutFunction": {"put_item"},
        "DeleteFunction": {"delete_item"},
        "ListFunction": {"scan"},
    }


def test_a_function_has_no_more_variables_than_it_heeds() -> None:
    found = functions(CrudConfig(auth="iam", preconditions="required", time_to_live_days=7))
    variables = {name: each["Environment"]["Variables"] for name, each in found.items()}
    assert {name: sorted(each) for name, each in variables.items()} == {
        "GetFunction": ["TABLE_NAME"],
        "PutFunction": ["PRECONDITIONS", "TABLE_NAME", "TIME_TO_LIVE_DAYS"],
        "DeleteFunction": ["PRECONDITIONS", "TABLE_NAME"],
        "ListFunction": ["DESCRIPTION", "TABLE_NAME"],
    }
    assert variables["PutFunction"]["PRECONDITIONS"] == "required"
    assert variables["PutFunction"]["TIME_TO_LIVE_DAYS"] == "7"


def test_variables_of_every_shape_fit() -> None:
    """Lambda, "Quotas": 4 KB for all of a function's variables; a table's name has 255 characters at most."""
    for made in variants(CrudApi):
        for each in made.template()["Resources"].values():
            variables = each["Properties"].get("Environment", {}).get("Variables", {})
            values = [value if isinstance(value, str) else "x" * 255 for value in variables.values()]
            assert len("".join([*variables, *values])) < 4_096


def test_the_description_in_the_template_is_the_document() -> None:
    config = CrudConfig(auth="iam", preconditions="required")
    packed = functions(config)["ListFunction"]["Environment"]["Variables"]["DESCRIPTION"]
    assert json.loads(zlib.decompress(base64.b64decode(packed))) == document(config)


def test_documents_end_if_the_settings_say_so() -> None:
    ending = resources(CrudConfig(auth="iam", time_to_live_days=7))["Table"]["Properties"]
    assert ending["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert "TimeToLiveSpecification" not in resources(IAM)["Table"]["Properties"]


def test_browsers_let_the_named_sites_call_and_no_others() -> None:
    site = "https://app.example.com"
    cors = resources(CrudConfig(auth="iam", cors_origins=(site,)))["HttpApi"]["Properties"][
        "CorsConfiguration"
    ]
    assert cors["AllowOrigins"] == [site]
    assert cors["AllowMethods"] == ["DELETE", "GET", "PUT"]
    assert {"authorization", "content-type", "if-match", "if-none-match"} <= set(cors["AllowHeaders"])
    assert "etag" in cors["ExposeHeaders"]
    assert "CorsConfiguration" not in resources(IAM)["HttpApi"]["Properties"]


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/", "https://*", "null"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        CrudConfig(auth="iam", cors_origins=(origin,))


def metrics(alarm: str) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Namespace, name and dimensions of every metric that an alarm adds up."""
    added, *queries = resources(IAM)[alarm]["Properties"]["Metrics"]
    assert added["Expression"] == "SUM(METRICS())"
    assert not any(each["ReturnData"] for each in queries)
    return {
        (
            each["MetricStat"]["Metric"]["Namespace"],
            each["MetricStat"]["Metric"]["MetricName"],
            frozenset(
                (one["Name"], one["Value"] if isinstance(one["Value"], str) else one["Value"]["Ref"])
                for one in each["MetricStat"]["Metric"]["Dimensions"]
            ),
        )
        for each in queries
    }


def test_what_alarms_look_at() -> None:
    """API Gateway, "Monitor CloudWatch metrics for HTTP APIs"; Lambda, "Types of metrics for Lambda functions";
    DynamoDB, "DynamoDB metrics and dimensions": SystemErrors has an operation, throttle events have none."""
    assert metrics("ApiAlarm") == {
        ("AWS/ApiGateway", "5xx", frozenset({("ApiId", "HttpApi"), ("Stage", "StageName")}))
    }
    assert metrics("FunctionAlarm") == {
        ("AWS/Lambda", metric, frozenset({("FunctionName", name)}))
        for metric in ("Errors", "Throttles")
        for name in functions(IAM)
    }
    table = ("TableName", "Table")
    assert metrics("TableAlarm") == {
        ("AWS/DynamoDB", "SystemErrors", frozenset({table, ("Operation", operation)}))
        for operation in ("GetItem", "PutItem", "DeleteItem", "Scan")
    } | {
        ("AWS/DynamoDB", metric, frozenset({table}))
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
    }


@pytest.mark.parametrize("alarm", ["ApiAlarm", "FunctionAlarm", "TableAlarm"])
def test_an_alarm_ends_when_nobody_calls_and_tells_the_topic_if_there_is_one(alarm: str) -> None:
    silent = resources(IAM)[alarm]["Properties"]
    assert silent["TreatMissingData"] == "notBreaching"
    assert "AlarmActions" not in silent
    telling = resources(CrudConfig(auth="iam", alarm_topic=True))[alarm]["Properties"]
    assert telling["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]


def test_tracing_is_permitted_to_every_function_and_to_nothing_else() -> None:
    found = resources(CrudConfig(auth="iam", tracing=True))
    policy = found["TracingPolicy"]["Properties"]
    assert policy["Roles"] == [{"Ref": f"{name}Role"} for name in functions(IAM)]
    assert policy["PolicyDocument"]["Statement"][0]["Action"] == [
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    ]
    assert all(found[name]["Properties"]["Tracing"] == "Active" for name in functions(IAM))
    assert "TracingPolicy" not in resources(IAM)
    assert not any("Tracing" in each for each in functions(IAM).values())


def test_authentication_has_no_default() -> None:
    with pytest.raises(ValidationError):
        CrudConfig()  # type: ignore[call-arg]


def test_an_open_api_says_why_and_is_throttled() -> None:
    with pytest.raises(ValidationError, match="say in 20 characters or more why anybody may call"):
        CrudConfig(auth="none")
    reason = "Public data, the same for everybody."
    api = resources(CrudConfig(auth="none", auth_reason=reason))["HttpApi"]
    assert api["Metadata"] == {"OpenToAnybody": reason}
    assert "Auth" not in api["Properties"]
    assert api["Properties"]["DefaultRouteSettings"] == {
        "ThrottlingBurstLimit": 40,
        "ThrottlingRateLimit": 20,
    }


def test_a_reason_without_need_is_refused() -> None:
    with pytest.raises(ValidationError, match="it explains auth: none, got auth: iam"):
        CrudConfig(auth="iam", auth_reason="Public data, the same for everybody.")


def test_iam_is_asked_for_on_every_route() -> None:
    assert resources(IAM)["HttpApi"]["Properties"]["Auth"] == {
        "EnableIamAuthorizer": True,
        "DefaultAuthorizer": "AWS_IAM",
    }


def test_tokens_of_one_issuer_are_asked_for_on_every_route() -> None:
    blueprint = CrudApi(CrudConfig(auth="jwt"))
    auth = blueprint.template()["Resources"]["HttpApi"]["Properties"]["Auth"]
    assert auth["DefaultAuthorizer"] == "Jwt"
    assert auth["Authorizers"]["Jwt"]["JwtConfiguration"] == {
        "issuer": {"Ref": "JwtIssuer"},
        "audience": {"Ref": "JwtAudience"},
    }
    assert [each.name for each in blueprint.parameters()] == ["StageName", "JwtIssuer", "JwtAudience"]


def test_the_documents_outlive_the_stack_and_can_be_restored() -> None:
    table = resources(IAM)["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}


def test_the_environments_key_encrypts_documents_and_logs() -> None:
    found = resources(IAM, Environment(kms_key=True))
    assert found["Table"]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert found["GetFunctionLogGroup"]["Properties"]["KmsKeyId"] == {"Ref": "KmsKeyArn"}
    statements = found["GetFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    decrypt = next(each for each in statements if each["Action"] == ["kms:Decrypt"])
    assert decrypt["Resource"] == [{"Ref": "KmsKeyArn"}]
    assert "kms:ViaService" in decrypt["Condition"]["StringEquals"]


def test_every_role_has_the_environments_boundary_and_path() -> None:
    found = resources(IAM, Environment(permissions_boundary=True, role_path="/teams/ml/"))
    roles = [each["Properties"] for each in found.values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 4
    for role in roles:
        assert role["Path"] == "/teams/ml/"
        assert role["PermissionsBoundary"] == {"Ref": "PermissionsBoundaryArn"}


def test_logs_end_with_the_stack_and_are_kept_as_asked() -> None:
    group = resources(CrudConfig(auth="iam", log_retention_days=7))["GetFunctionLogGroup"]
    assert group["Properties"] == {"RetentionInDays": 7}
    assert group["DeletionPolicy"] == "Delete"


def test_the_api_logs_every_request_as_a_line_of_json() -> None:
    found = resources(CrudConfig(auth="iam", log_retention_days=7))
    settings = found["HttpApi"]["Properties"]["AccessLogSettings"]
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["HttpApiLogGroup", "Arn"]}
    line = json.loads(settings["Format"])
    assert "\n" not in settings["Format"]
    # API Gateway, "AccessLogSettings": the format must include $context.requestId.
    assert line["requestId"] == "$context.requestId"
    assert {"sourceIp", "status", "error", "authorizerError"} <= line.keys()
    assert all(value.startswith("$context.") for value in line.values())
    assert found["HttpApiLogGroup"]["Properties"] == {"RetentionInDays": 7}


def test_the_outputs_lead_to_the_api_and_the_table() -> None:
    outputs = CrudApi(IAM).template()["Outputs"]
    assert set(outputs) == {"ApiUrl", "TableName"}
    address, values = outputs["ApiUrl"]["Value"]["Fn::Sub"]
    assert address == "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}/resource"
    assert values == {"Api": {"Ref": "HttpApi"}, "Stage": {"Ref": "StageName"}}
