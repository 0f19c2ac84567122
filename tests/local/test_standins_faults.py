"""Faults, as boto3 and a plain HTTP client see them."""

from __future__ import annotations

import json
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from blueprints.local.aws import Aws

ONCE = {"retries": {"total_max_attempts": 1}}
RUN: dict[str, Any] = {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1}


def client(aws: Aws, service: str, **options: Any) -> Any:
    """A client that does not try again by itself."""
    return aws.client(service, **ONCE, **options)


def table(aws: Aws) -> dict[str, Any]:
    aws.client("dynamodb").create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return {"TableName": "t", "Item": {"id": {"S": "a"}}}


def refusal(call: Any, **given: Any) -> tuple[str, int]:
    """Code and HTTP status of the error that a call raises."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    response = cast("dict[str, Any]", cast("Any", caught.value).response)
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "operation", "given", "throttled", "failed"),
    [
        # One service of each protocol: json 1.0, json 1.1, query, ec2, rest-json, rest-xml; codes as documented.
        (
            "dynamodb",
            "list_tables",
            {},
            ("ProvisionedThroughputExceededException", 400),
            ("InternalServerError", 500),
        ),
        ("ssm", "get_parameter", {"Name": "x"}, ("ThrottlingException", 400), ("InternalServerError", 500)),
        ("sqs", "list_queues", {}, ("ThrottlingException", 400), ("InternalFailure", 500)),
        ("autoscaling", "describe_auto_scaling_groups", {}, ("Throttling", 400), ("InternalFailure", 500)),
        ("ec2", "describe_vpcs", {}, ("RequestLimitExceeded", 503), ("Unavailable", 503)),
        ("lambda", "list_functions", {}, ("TooManyRequestsException", 429), ("ServiceException", 500)),
        ("route53", "list_hosted_zones", {}, ("Throttling", 400), ("InternalFailure", 500)),
        ("s3", "list_buckets", {}, ("SlowDown", 503), ("InternalError", 500)),
    ],
)
def test_throttles_and_failures_of_each_protocol(
    aws: Aws, service: str, operation: str, given: Any, throttled: tuple[str, int], failed: tuple[str, int]
) -> None:
    call = getattr(client(aws, service), operation)
    aws.faults.throttle(f"{service}:*", count=1)
    assert refusal(call, **given) == throttled
    aws.faults.unavailable(f"{service}:*", count=1)
    assert refusal(call, **given) == failed
    assert aws.faults.injected() == {f"{service}:* throttle": 1, f"{service}:* unavailable": 1}
    assert [call.injected for call in aws.calls()] == ["throttle", "unavailable"]


def test_the_next_calls_fail_and_then_no_more(aws: Aws) -> None:
    item = table(aws)
    aws.faults.throttle("dynamodb:PutItem", count=2)
    put = client(aws, "dynamodb").put_item
    assert [refusal(put, **item)[0] for _ in range(2)] == ["ProvisionedThroughputExceededException"] * 2
    put(**item)
    assert client(aws, "dynamodb").get_item(TableName="t", Key={"id": {"S": "a"}})["Item"] == {
        "id": {"S": "a"}
    }


def test_sdks_try_a_throttled_call_again(aws: Aws) -> None:
    item = table(aws)
    aws.faults.throttle("dynamodb:PutItem", count=2)
    aws.client("dynamodb").put_item(**item)
    assert [call.status for call in aws.calls("dynamodb:PutItem")] == [400, 400, 200]


def test_a_rate_is_drawn_alike_after_each_reset(aws: Aws) -> None:
    def draw() -> list[str]:
        aws.reset()
        aws.faults.error("sts:*", "ServiceUnavailable", rate=0.3)
        for _ in range(30):
            try:
                client(aws, "sts").get_caller_identity()
            except ClientError:
                continue
        return [call.injected for call in aws.calls()]

    first = draw()
    assert 3 <= first.count("error") <= 15  # of 30 at 0.3
    assert draw() == first


def test_refused_capacity(aws: Aws) -> None:
    aws.faults.no_capacity(count=1)
    ec2 = client(aws, "ec2")
    assert refusal(ec2.run_instances, **RUN) == ("InsufficientInstanceCapacity", 500)
    assert ec2.describe_instances()["Reservations"] == []
    ec2.run_instances(**RUN)


def test_any_other_error(aws: Aws) -> None:
    aws.faults.error("ssm:Get*", "AccessDeniedException", message="not you")
    ssm = client(aws, "ssm")
    with pytest.raises(
        ClientError, match=r"\(AccessDeniedException\) when calling the GetParameter operation.*: not you"
    ):
        ssm.get_parameter(Name="x")
    aws.faults.clear()
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="x")


def test_a_late_answer(aws: Aws) -> None:
    aws.faults.delay("sts:GetCallerIdentity", 5, count=1)
    with pytest.raises(ReadTimeoutError):
        client(aws, "sts", read_timeout=1).get_caller_identity()
    assert client(aws, "sts").get_caller_identity()["Account"] == "123456789012"
    assert aws.faults.injected() == {"sts:GetCallerIdentity delay": 1}


def test_a_dropped_connection_has_done_nothing(aws: Aws) -> None:
    item = table(aws)
    aws.faults.drop("dynamodb:PutItem", count=1)
    with pytest.raises(ConnectionClosedError):
        client(aws, "dynamodb").put_item(**item)
    assert client(aws, "dynamodb").scan(TableName="t")["Count"] == 0
    assert [(call.status, call.injected) for call in aws.calls("dynamodb:PutItem")] == [(0, "drop")]


def test_a_lost_answer_has_done_all(aws: Aws) -> None:
    item = table(aws)
    aws.faults.lose("dynamodb:PutItem", count=1)
    with pytest.raises(ConnectionClosedError):
        client(aws, "dynamodb").put_item(**item)
    assert client(aws, "dynamodb").scan(TableName="t")["Count"] == 1


def test_a_client_without_sdk_sees_a_closed_connection(aws: Aws) -> None:
    aws.faults.drop("sts:*", count=1)
    connection = HTTPConnection("127.0.0.1", aws.port, timeout=20)
    scope = "Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/sts/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=x",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", headers)
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"api": "s3:*", "kind": "explode"}, "kind 'explode'; write one of throttle"),
        ({"api": "s3:*", "kind": "error"}, "an error without code; say which"),
        ({"api": "s3:*", "kind": "drop", "rate": 2}, "a rate of 2; write 0 to 1"),
        ({"kind": "drop"}, "api"),
    ],
)
def test_rules_that_make_no_sense_are_refused(aws: Aws, rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        aws.control("POST", "faults", rule)
    assert aws.faults.injected() == {}


def test_what_the_gate_does_not_have(aws: Aws) -> None:
    with pytest.raises(ValueError, match="no POST /compute-blueprints/weather here"):
        aws.control("POST", "weather", json.dumps({}))
