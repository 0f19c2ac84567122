"""The form of errors, beside the examples of AWS's documentation, which `answer.py` names for each protocol."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
from moto.core.utils import get_service_model
from werkzeug.test import EnvironBuilder

from blueprints.local.standins.answer import Answer, AwsError, error
from blueprints.local.standins.request import SIGNED_AS, Call, identify

REQUESTS: dict[str, dict[str, Any]] = {
    "dynamodb": {
        "headers": {"X-Amz-Target": "DynamoDB_20120810.GetItem"},
        "content_type": "application/x-amz-json-1.0",
        "data": '{"TableName": "tablename", "Key": {"id": {"S": "a"}}}',
    },
    "ec2": {"data": {"Action": "DescribeInstances", "Version": "2016-11-15", "InstanceId.1": "i-1a2b3c4d"}},
    "sqs": {"data": {"Action": "CreateQueue", "Version": "2012-11-05", "QueueName": "quename_nonalpha"}},
    "s3": {"method": "GET", "path": "/mybucket/myfoto.jpg"},
    "lambda": {"method": "GET", "path": "/2015-03-31/functions/f", "content_type": "application/json"},
}


def call(service: str) -> Call:
    given = dict(REQUESTS[service])
    scope = f"Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, x", **given.pop("headers", {})}
    build: Any = EnvironBuilder
    found = identify(build(headers=headers, **{"method": "POST", **given}).get_environ())
    assert found is not None
    return found


def body(answer: Answer) -> str:
    """The body in one line, its ids blanked."""
    text = answer.body.decode().replace("\n", "")
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)


def test_query() -> None:
    words = "Value (quename_nonalpha) for parameter QueueName is invalid."
    answer = error(call("sqs"), AwsError("InvalidParameterValue", words))
    assert body(answer) == (
        '<?xml version="1.0" encoding="UTF-8"?><ErrorResponse><Error><Type>Sender</Type>'
        f"<Code>InvalidParameterValue</Code><Message>{words}</Message></Error>"
        "<RequestId>ID</RequestId></ErrorResponse>"
    )
    assert answer.status == 400


def test_ec2() -> None:
    words = "The instance ID 'i-1a2b3c4d' does not exist"
    answer = error(call("ec2"), AwsError("InvalidInstanceID.NotFound", words))
    assert body(answer).replace("&#x27;", "'") == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error>'
        f"<Code>InvalidInstanceID.NotFound</Code><Message>{words}</Message></Error></Errors>"
        "<RequestID>ID</RequestID></Response>"
    )


def test_json() -> None:
    words = "Requested resource not found: Table: tablename not found"
    answer = error(call("dynamodb"), AwsError("ResourceNotFoundException", words))
    assert json.loads(answer.body) == {
        "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        "message": words,
    }
    assert dict(answer.headers)["Content-Type"] == "application/x-amz-json-1.0"
    assert answer.status == 400


def test_rest_json() -> None:
    answer = error(call("lambda"), AwsError("TooManyRequestsException", "Rate exceeded", 429))
    assert dict(answer.headers)["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert json.loads(answer.body) == {"message": "Rate exceeded"}


def test_rest_xml_of_s3() -> None:
    answer = error(call("s3"), AwsError("NoSuchKey", "The resource you requested does not exist", 404))
    assert body(answer) == (
        '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>'
        "<Message>The resource you requested does not exist</Message><Resource>/mybucket/myfoto.jpg</Resource>"
        "<RequestId>ID</RequestId><HostId>ID</HostId></Error>"
    )


@pytest.mark.parametrize(
    ("service", "name", "parameters"),
    [
        ("dynamodb", "dynamodb:GetItem", {"TableName": "tablename", "Key": {"id": {"S": "a"}}}),
        ("ec2", "ec2:DescribeInstances", {"InstanceIds": ["i-1a2b3c4d"]}),
        ("sqs", "sqs:CreateQueue", {"QueueName": "quename_nonalpha"}),
        ("s3", "s3:GetObject", {"Bucket": "mybucket", "Key": "myfoto.jpg"}),
        ("lambda", "lambda:GetFunction", {"FunctionName": "f"}),
    ],
)
def test_requests_are_told_apart(service: str, name: str, parameters: dict[str, Any]) -> None:
    found = call(service)
    assert (found.api, found.region, found.access_key) == (name, "us-east-1", "AKIAIOSFODNN7EXAMPLE")
    assert found.parameters() == parameters


def test_services_sign_as_their_models_say() -> None:
    for signed, services in SIGNED_AS.items():
        for service in services:
            metadata = cast("dict[str, Any]", cast("Any", get_service_model(service)).metadata)
            assert signed in (metadata.get("signingName"), metadata["endpointPrefix"]), service


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=x",
        "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=1",
    ],
)
@pytest.mark.parametrize(("method", "name"), [("GET", "s3:GetObject"), ("PUT", "s3:PutObject")])
def test_presigned_urls_are_told_apart(query: str, method: str, name: str) -> None:
    found = identify(EnvironBuilder(path="/photos/a.jpg", method=method, query_string=query).get_environ())
    assert found is not None
    assert (found.api, found.access_key) == (name, "AKIAIOSFODNN7EXAMPLE")


def test_an_unsigned_call_of_cognito() -> None:
    build: Any = EnvironBuilder
    headers = {"X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth"}
    environ = build(
        method="POST", headers=headers, content_type="application/x-amz-json-1.1", data="{}"
    ).get_environ()
    found = identify(environ)
    assert found is not None
    assert (found.api, found.access_key) == ("cognito-idp:InitiateAuth", "")


def test_a_request_to_nobody() -> None:
    assert identify(EnvironBuilder(path="/").get_environ()) is None
