"""The gate: what it records, what it refuses by name, what it forwards, and what it makes atomic."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from blueprints.local.aws import Aws

KEYS: dict[str, Any] = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}

# Journal


def test_every_call_is_recorded_with_its_caller_and_its_parameters(aws: Aws) -> None:
    aws.client("sqs", "worker").create_queue(QueueName="jobs", Attributes={"DelaySeconds": "5"})
    aws.client("s3").create_bucket(Bucket="photos")
    aws.client("s3").put_object(Bucket="photos", Key="a/b.jpg", Body=b"\xff" * 10)
    with pytest.raises(ClientError):
        aws.client("iam", "intruder").get_role(RoleName="nobody")
    assert [(call.api, call.principal, call.status) for call in aws.calls()] == [
        ("sqs:CreateQueue", "worker", 200),
        ("s3:CreateBucket", "operator", 200),
        ("s3:PutObject", "operator", 200),
        ("iam:GetRole", "intruder", 404),
    ]
    assert [call.parameters for call in aws.calls("sqs:CreateQueue", "iam:GetRole")] == [
        {"QueueName": "jobs", "Attributes": {"DelaySeconds": "5"}},
        {"RoleName": "nobody"},
    ]
    (put,) = aws.calls("s3:PutObject")
    assert (put.parameters["Bucket"], put.parameters["Key"]) == ("photos", "a/b.jpg")
    assert time.time() - 600 < put.time <= time.time()


def test_what_moto_does_not_implement_fails_by_name(aws: Aws) -> None:
    with pytest.raises(
        ClientError, match="ssm:DescribeAutomationExecutions is not emulated: moto does not implement"
    ):
        aws.client("ssm").describe_automation_executions()
    with pytest.raises(ClientError) as caught:
        aws.client("gamelift").list_builds()
    response: Any = caught.value
    assert response.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(
        ClientError, match="efs:DescribeReplicationConfigurations is not emulated: moto does not"
    ):
        aws.client("efs").describe_replication_configurations()
    assert [gap.split(":")[:2] for gap in aws.unimplemented()] == [
        ["ssm", "DescribeAutomationExecutions"],
        ["gamelift", "ListBuilds"],
        ["efs", "DescribeReplicationConfigurations"],
    ]


def test_an_answer_of_404_is_no_gap(aws: Aws) -> None:
    with pytest.raises(ClientError):
        aws.client("s3").head_bucket(Bucket="absent")
    with pytest.raises(ClientError):
        aws.client("lambda").get_function(FunctionName="absent")
    assert aws.unimplemented() == []


# Forwarding


class _Executor(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"path": self.path, "event": event}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has
        pass


@pytest.fixture
def executor() -> Iterator[str]:
    """A server that answers every invocation with what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Executor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_operation_is_carried_out_by_the_server_it_is_forwarded_to(executor: str) -> None:
    with Aws() as aws:
        invoke: Any = aws.client("lambda").invoke
        with pytest.raises(ClientError, match="lambda:Invoke is not emulated: no function executor is given"):
            invoke(FunctionName="f")
        aws.forward("lambda:Invoke", executor)
        answer = json.loads(invoke(FunctionName="f", Payload=b'{"n": 1}')["Payload"].read())
        assert answer == {"path": "/2015-03-31/functions/f/invocations", "event": {"n": 1}}
        aws.forward("lambda:Invoke", "http://127.0.0.1:1")
        with pytest.raises(ClientError, match=r"http://127\.0\.0\.1:1 does not answer"):
            invoke(FunctionName="f")
        assert [call.status for call in aws.calls("lambda:Invoke")] == [501, 200, 501]


# The interpreter of state machines


def machine(aws: Aws, states: dict[str, Any]) -> dict[str, Any]:
    """Run a definition to its end; the execution as DescribeExecution has it."""
    role = aws.client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    steps = aws.client("stepfunctions")
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    arn = steps.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
    execution = steps.start_execution(stateMachineArn=arn)["executionArn"]
    deadline = time.monotonic() + 60  # to end a hang; it takes a second
    while time.monotonic() < deadline:
        found = steps.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


PUT: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::dynamodb:putItem",
    "Parameters": {"TableName": "t", "Item": {"id": {"S": "from the machine"}}},
    "ResultPath": None,
    "End": True,
}


def test_what_a_state_machine_calls_passes_the_gate(aws: Aws) -> None:
    aws.client("dynamodb").create_table(**KEYS)
    aws.faults.throttle("dynamodb:PutItem", count=1)
    retried = {**PUT, "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]}
    assert machine(aws, {"Put": retried})["status"] == "SUCCEEDED"
    assert [call.status for call in aws.calls("dynamodb:PutItem")] == [400, 200]
    assert aws.client("dynamodb").scan(TableName="t")["Count"] == 1


def test_a_state_machine_is_told_of_a_gap(aws: Aws) -> None:
    gap = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:gamelift:listBuilds", "End": True}
    assert machine(aws, {"List": gap})["status"] == "FAILED"
    assert aws.unimplemented()[0].startswith("gamelift:ListBuilds: ")


# DynamoDB


def dynamodb(aws: Aws) -> Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]:
    """Calls over one open connection, without an SDK, which would take most of the time."""
    connection = HTTPConnection("127.0.0.1", aws.port, timeout=60)
    scope = "Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/dynamodb/aws4_request"

    def call(operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=x",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        connection.request("POST", "/", json.dumps(given), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    return call


def together(threads: int, work: Callable[[int], None]) -> None:
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_no_update_is_lost_among_sixteen_writers(aws: Aws) -> None:
    """2,000 increments; `bare_moto_races.py` shows what bare moto makes of fewer."""
    aws.client("dynamodb").create_table(**KEYS)
    key = {"TableName": "t", "Key": {"id": {"S": "one"}}}

    def work(_: int) -> None:
        call = dynamodb(aws)
        for _ in range(125):
            status, _answer = call(
                "UpdateItem",
                {
                    **key,
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                },
            )
            assert status == 200

    together(16, work)
    assert aws.client("dynamodb").get_item(**key)["Item"]["n"] == {"N": "2000"}


def test_a_condition_is_met_by_one_of_many(aws: Aws) -> None:
    aws.client("dynamodb").create_table(**KEYS)
    won: list[int] = []

    def work(number: int) -> None:
        call = dynamodb(aws)
        for slot in range(10):
            put = {"TableName": "t", "Item": {"id": {"S": str(slot)}, "by": {"N": str(number)}}}
            status, answer = call("PutItem", {**put, "ConditionExpression": "attribute_not_exists(id)"})
            if status == 200:
                won.append(slot)
            else:
                assert answer["__type"].endswith("#ConditionalCheckFailedException")

    together(16, work)
    assert sorted(won) == list(range(10))
