"""The operation Invoke through the emulated AWS: by boto3 and by a state machine."""

from __future__ import annotations

import base64
import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from tests.local.events.harness import Case, Start, arn, eventually, function

ECHO = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    print("said", event)
    custom = context.client_context.custom if context.client_context else None
    return {"event": event, "custom": custom}
"""


@pytest.fixture
def case(start: Start) -> Case:
    """One function that echoes."""
    return start({"Echo": function(ECHO), "Busy": function(ECHO, ReservedConcurrentExecutions=0)})


def invoke(case: Case, name: str = "Echo", **given: Any) -> Any:
    client = case.aws.client("lambda", retries={"max_attempts": 0})
    return client.invoke(FunctionName=case.ref(name), **given)


def test_the_answer_of_a_function(case: Case) -> None:
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    done = invoke(case, Payload=json.dumps({"x": 1}), ClientContext=context, LogType="Tail")
    assert (done["StatusCode"], done["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(done["Payload"].read()) == {"event": {"x": 1}, "custom": {"a": "b"}}
    assert "said {'x': 1}" in base64.b64decode(done["LogResult"]).decode()
    assert "FunctionError" not in done


def test_no_payload_is_an_empty_object(case: Case) -> None:
    assert json.loads(invoke(case)["Payload"].read())["event"] == {}


def test_an_error_of_the_function_is_a_success_with_a_header(case: Case) -> None:
    done = invoke(case, Payload=json.dumps({"fail": "no"}))
    assert (done["StatusCode"], done["FunctionError"]) == (200, "Unhandled")
    assert json.loads(done["Payload"].read())["errorType"] == "ValueError"


def test_names_of_a_function(case: Case) -> None:
    client, name, full = case.aws.client("lambda"), case.ref("Echo"), case.arn("Echo")
    for given in (name, full, f"123456789012:function:{name}", f"{full}:$LATEST", f"function:{name}"):
        assert client.invoke(FunctionName=given, InvocationType="DryRun")["StatusCode"] == 204, given


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", 404),
        ({"Qualifier": "live"}, "ResourceNotFoundException", 404),
        ({"Payload": b"{not json"}, "InvalidRequestContentException", 400),
        ({"Payload": b'"' + b"x" * 6_291_456 + b'"'}, "RequestTooLargeException", 413),
        (
            {"Payload": b'"' + b"x" * 1_048_576 + b'"', "InvocationType": "Event"},
            "RequestTooLargeException",
            413,
        ),
    ],
    ids=["no function", "no alias", "no json", "too large", "too large an event"],
)
def test_what_is_refused(case: Case, given: dict[str, Any], code: str, status: int) -> None:
    with pytest.raises(ClientError) as refusal:
        case.aws.client("lambda").invoke(**{"FunctionName": case.ref("Echo"), **given})
    told = cast("Any", refusal.value).response
    assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert told["Error"]["Message"]


def test_a_function_without_concurrency_is_throttled(case: Case) -> None:
    with pytest.raises(ClientError) as refusal:
        invoke(case, "Busy")
    told = cast("Any", refusal.value).response
    assert told["Error"]["Code"] == "TooManyRequestsException"
    assert told["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_state_machine_runs_a_function(start: Start) -> None:
    definition = {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "${Function}", "Payload": {"from.$": "$.who"}},
                "ResultSelector": {"answer.$": "$.Payload"},
                "End": True,
            }
        },
    }
    case = start(
        {
            "Echo": function(ECHO),
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": arn("Role"),
                    "DefinitionString": json.dumps(definition),
                    "DefinitionSubstitutions": {"Function": arn("Echo")},
                },
            },
        }
    )
    states = case.aws.client("stepfunctions")
    begun = states.start_execution(stateMachineArn=case.ref("Machine"), input='{"who": "machine"}')

    def ended() -> Any:
        found = states.describe_execution(executionArn=begun["executionArn"])
        return found if found["status"] != "RUNNING" else None

    done = eventually(ended)
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"])["answer"]["event"] == {"from": "machine"}
