"""CRUD API: what the template promises, and the shapes that the example stack does not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from blueprints.core import Environment
from blueprints.crud_api import CrudApi, CrudConfig


def resources(config: CrudConfig, environment: Environment | None = None) -> dict[str, Any]:
    return CrudApi(config, environment).template()["Resources"]


IAM = CrudConfig(auth="iam")


def test_every_method_is_a_route_of_the_explicit_api() -> None:
    functions = [each for each in resources(IAM).values() if each["Type"] == "AWS::Serverless::Function"]
    events = [each["Properties"]["Events"]["Api"]["Properties"] for each in functions]
    routes = {(each["Method"], each["Path"]) for each in events}
    assert routes == {(method, "/resource/{resourceId}") for method in ("GET", "PUT", "DELETE")}
    assert resources(IAM)["HttpApi"]["Type"] == "AWS::Serverless::HttpApi"


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
    assert len(roles) == 3
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
