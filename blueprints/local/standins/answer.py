"""Answers in the form of each protocol that AWS's services speak: results and errors.

Sources of the error forms, with an example each in tests/local/test_standins_errors.py:
query https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-query-api-responses.html
ec2 https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
json https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
rest-json https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
rest-xml https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from html import escape
from typing import Any

from .request import Call

Headers = list[tuple[str, str]]

# Which namespace stands before an error's code, where the documentation of a service shows one.
_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes


class AwsError(Exception):
    """An error as a service answers it: HTTP status, code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    @property
    def fault(self) -> str:
        """Who is to blame, in AWS's words."""
        return "Sender" if self.status < 500 else "Receiver"


def result(call: Call, value: dict[str, Any]) -> Answer:
    """What an operation gives back, as its model says that it is written."""
    from moto.core.serialize import get_serializer_class

    serializer = get_serializer_class(call.service, call.protocol)(operation_model=call.operation)
    done = serializer.serialize(value)
    return Answer(done["status_code"], [*done["headers"].items()], str(done["body"]).encode())


def error(call: Call, wrong: AwsError) -> Answer:
    """An error in the form of the call's protocol."""
    request_id = str(uuid.uuid4())
    if call.protocol in ("json", "rest-json") or not call.protocol:
        return _json(call, wrong, request_id)
    body = _xml(call, wrong, request_id)
    headers = [("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)]
    return Answer(wrong.status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


def _json(call: Call, wrong: AwsError, request_id: str) -> Answer:
    headers = [("x-amzn-RequestId", request_id)]
    if call.protocol == "json" and call.operation is not None:
        model: Any = call.operation.service_model
        headers.append(("Content-Type", f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"))
        body = {"__type": _NAMESPACES.get(call.service, "") + wrong.code, "message": wrong.message}
        if "awsQueryCompatible" in model.metadata:
            headers.append(("x-amzn-query-error", f"{wrong.code};{wrong.fault}"))
    else:
        headers += [("Content-Type", "application/json"), ("x-amzn-ErrorType", wrong.code)]
        body = {"message": wrong.message}
    return Answer(wrong.status, headers, json.dumps(body).encode())


def _xml(call: Call, wrong: AwsError, request_id: str) -> str:
    code, message = escape(wrong.code), escape(wrong.message)
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    if call.protocol == "ec2":
        return (
            f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    if call.service == "s3":
        where = f"<Resource>{escape(call.request.path)}</Resource>"
        return (
            f"<Error>{inner}{where}<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
        )
    return (
        f"<ErrorResponse><Error><Type>{wrong.fault}</Type>{inner}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
