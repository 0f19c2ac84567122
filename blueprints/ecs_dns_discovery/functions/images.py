"""A custom resource that has the images built: it starts CodeBuild and answers when that is done, whatever happens.

CloudFormation User Guide, "Custom resource response objects". Every path ends in exactly one answer.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3

_LOOK_SECONDS = 10
_SPARE_SECONDS = 30  # for the answer, before the function's time is up
_TRIES = 4


def handler(event: dict[str, Any], context: Any) -> None:
    """Lambda's entry: one request of CloudFormation's."""
    aws: Any = boto3
    try:
        status, reason = outcome(
            event,
            aws.client("codebuild"),
            os.environ["PROJECT"],
            lambda: context.get_remaining_time_in_millis() / 1000 - _SPARE_SECONDS,
            time.sleep,
        )
    except Exception as error:
        logging.getLogger().exception("not built")
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    respond(event, status, reason, time.sleep)


def outcome(
    event: dict[str, Any],
    codebuild: Any,
    project: str,
    left: Callable[[], float],
    sleep: Callable[[float], None],
) -> tuple[str, str]:
    """Status and reason of a request. `left` are the seconds that remain."""
    if event["RequestType"] == "Delete":
        return "SUCCESS", "The repositories go with their images."
    if event["RequestType"] not in ("Create", "Update"):
        return "FAILED", f"{event['RequestType']} is no request type"
    build = codebuild.start_build(projectName=project, idempotencyToken=event["RequestId"])["build"]["id"]
    while left() > 0:
        state = codebuild.batch_get_builds(ids=[build])["builds"][0]["buildStatus"]
        if state == "SUCCEEDED":
            return "SUCCESS", build
        if state != "IN_PROGRESS":
            return "FAILED", f"{build} ended as {state}; its log says why"
        sleep(_LOOK_SECONDS)
    codebuild.stop_build(id=build)
    return "FAILED", f"{build} took too long and was stopped; its log says why"


def respond(event: dict[str, Any], status: str, reason: str, sleep: Callable[[float], None]) -> None:
    """Tell CloudFormation, again if the connection fails. The id never changes, so that no update deletes anything."""
    named = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    resource = event.get("PhysicalResourceId") or event["LogicalResourceId"]
    answer = {"Status": status, "Reason": reason[:1000], "PhysicalResourceId": resource, **named}
    target = urlsplit(str(event["ResponseURL"]))
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    for attempt in range(_TRIES):
        connection = kind(target.netloc, timeout=5)
        try:
            connection.request(
                "PUT", f"{target.path}?{target.query}", json.dumps(answer), {"Content-Type": ""}
            )
            if connection.getresponse().status < 300:
                return
        except (OSError, http.client.HTTPException):
            logging.getLogger().exception("not answered")
        finally:
            connection.close()
        sleep(2**attempt)
