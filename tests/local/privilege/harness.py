"""Stacks with one role, calls of it, and an account that knows what a test says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from blueprints.local.aws import CallRecord
from blueprints.local.privilege.account import Account
from blueprints.local.privilege.request import Request
from blueprints.local.privilege.watch import Watched, recorded
from blueprints.local.resolver import Physical
from blueprints.local.stack import Stack

ROLE = "stack-Role"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/stack-Table"


def request(action: str = "s3:GetObject", resource: str = "*", **context: tuple[str, ...]) -> Request:
    """A question; `aws__username=("john",)` is the key aws:username."""
    return Request(
        action, resource, "a test", {key.replace("__", ":"): value for key, value in context.items()}
    )


def statement(
    action: str | list[str], resource: str | list[str] | Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def stack_of(*statements: dict[str, Any], metadata: dict[str, Any] | None = None) -> Stack:
    """A stack of a role with these statements, and a table."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    policy = {"PolicyName": "Own", "PolicyDocument": {"Statement": list(statements)}}
    role = {
        "Type": "AWS::IAM::Role",
        "Metadata": metadata or {},
        "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [policy]},
    }
    stack = Stack(json.dumps({"Resources": {"Role": role, "Table": {"Type": "AWS::DynamoDB::Table"}}}))
    stack.physical["Role"] = Physical(ROLE, {"Arn": f"arn:aws:iam::123456789012:role/{ROLE}"})
    stack.physical["Table"] = Physical("stack-Table", {"Arn": TABLE})
    return stack


class Known(Account):
    """An account in which the answers to some operations are known, and nothing else exists."""

    def __init__(self, **answers: dict[str, Any]) -> None:
        super().__init__(lambda service: None)
        self._answers = answers

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._answers.get(operation, {"Tags": []} if operation == "describe_tags" else {})


def called(api: str, principal: str = ROLE, **parameters: Any) -> CallRecord:
    service, _, operation = api.partition(":")
    return CallRecord(service, operation, parameters, principal, "us-east-1", 0.0, 200, "")


def judged(stack: Stack, *calls: CallRecord, **answers: dict[str, Any]) -> Watched:
    return recorded(stack, list(calls), Known(**answers))


def failures(watched: Watched) -> list[str]:
    return [str(each) for each in watched.verdict().failures]
