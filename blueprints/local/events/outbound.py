"""Handing things over to what an ARN names, by the emulated APIs as AWS's services would."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from .asynchronous import Asynchronous
from .directory import Directory

Client = Callable[[str], Any]

# Errors after which another attempt may succeed: throttling, and failures of the service. All else, such as a
# missing target or permission, is final: EventBridge User Guide, "Event retry policy and using dead-letter queues".
_PASSING = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")
_SERVER_ERROR = 500


class Undelivered(Exception):  # noqa: N818 - a state that is told on, not an error here
    """Nothing was handed over. `passing` says whether it may help to try again."""

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.passing = passing


class Outbound:
    """`client(service)` gives boto3 clients. `asynchronous` takes events for functions; it is set by the owner."""

    def __init__(self, client: Client, directory: Directory) -> None:
        self._client = client
        self._directory = directory
        self.asynchronous: Asynchronous | None = None
        self._ways: dict[str, Callable[[str, str, Mapping[str, Any]], None]] = {
            "events": self._bus,
            "lambda": self._function,
            "logs": self._log_group,
            "sns": self._topic,
            "sqs": self._queue,
            "states": self._state_machine,
        }

    def can(self, arn: str) -> bool:
        """Whether anything is handed over to such a target here."""
        return _service(arn) in self._ways

    def send(self, arn: str, body: str, settings: Mapping[str, Any] | None = None) -> None:
        """Hand a text over. Raises Undelivered.

        `settings` are the target's further ones: `SqsParameters` for a queue, `Attributes` of a message by name.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.can(arn):
            raise Undelivered("NOT_RUN_HERE", f"nothing is delivered to {arn} here")
        try:
            self._ways[_service(arn)](arn, body, settings or {})
        except ClientError as error:
            told: Any = error.response
            code, status = told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]
            passing = code in _PASSING or status >= _SERVER_ERROR
            raise Undelivered(code, told["Error"]["Message"], passing=passing) from error
        except BotoCoreError as error:
            raise Undelivered("CONNECTION_FAILURE", str(error), passing=True) from error

    def record(self, arn: str, record: dict[str, Any]) -> None:
        """Hand an invocation record over to a destination. Raises Undelivered.

        Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations": a bus gets it as the detail
        of an event, all else as it is.
        """
        if _service(arn) != "events":
            self.send(arn, json.dumps(record))
            return
        succeeded = record["requestContext"]["condition"] == "Success"
        kind = f"Lambda Function Invocation Result - {'Success' if succeeded else 'Failure'}"
        resources = [record["requestContext"]["functionArn"], arn]
        event = {"source": "lambda", "detail-type": kind, "detail": record, "resources": resources}
        self.send(arn, json.dumps(event))

    def _function(self, arn: str, body: str, _: Mapping[str, Any]) -> None:
        to = self._directory.find(arn)
        if to is None or self.asynchronous is None:
            raise Undelivered("ResourceNotFoundException", f"no function {arn} is run here")
        self.asynchronous.accept(to, body.encode())

    def _queue(self, arn: str, body: str, settings: Mapping[str, Any]) -> None:
        url = self._client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        parameters: Mapping[str, str] = settings.get("SqsParameters") or {}
        group = parameters.get("MessageGroupId")
        given = {"MessageGroupId": group} if group else {}
        attributes = _attributes(settings)
        self._client("sqs").send_message(
            QueueUrl=url, MessageBody=body, MessageAttributes=attributes, **given
        )

    def _topic(self, arn: str, body: str, settings: Mapping[str, Any]) -> None:
        self._client("sns").publish(TopicArn=arn, Message=body, MessageAttributes=_attributes(settings))

    def _state_machine(self, arn: str, body: str, _: Mapping[str, Any]) -> None:
        self._client("stepfunctions").start_execution(stateMachineArn=arn, input=body)

    def _bus(self, arn: str, body: str, _: Mapping[str, Any]) -> None:
        event = json.loads(body)
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
            "EventBusName": arn.rpartition("/")[2],
        }
        self._client("events").put_events(Entries=[entry])

    def _log_group(self, arn: str, body: str, _: Mapping[str, Any]) -> None:
        logs, group, stream = self._client("logs"), arn.split(":")[6], str(uuid.uuid4())
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": body}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _service(arn: str) -> str:
    parts = arn.split(":")
    return parts[2] if len(parts) > 2 else ""


def _attributes(settings: Mapping[str, Any]) -> dict[str, Any]:
    given: Mapping[str, str] = settings.get("Attributes") or {}
    return {
        name: {
            "DataType": "Number" if name == "ErrorCode" and value.isdecimal() else "String",
            "StringValue": value,
        }
        for name, value in given.items()
    }
