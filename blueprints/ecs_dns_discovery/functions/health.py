"""Removes records of what is gone, and has tasks that do not answer ended.

It believes what ECS and EC2 say, never that something is not mentioned: a record goes when its host is gone, or when
ECS says that its container has stopped. Containers of other schedulers are their agents' business. Only records that
an agent made are ever touched, known by their identifier `i-…:container:port/protocol`.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3

_OURS = re.compile(r"(i-[0-9a-f]{8,17}):(?:host|([0-9a-f]{64}):(?:a|(\d+)/(?:tcp|udp)))")
_BATCH = 100  # of 1,000 changes that Route 53 takes, of 100 that ECS describes
_CALL_PAUSE = 0.25
_TRIES = 4  # of an answer to CloudFormation


class Owned(NamedTuple):
    """A record set that an agent made. `container` is "" for the host's own address, `port` for addresses."""

    host: str
    container: str
    port: str
    record: dict[str, Any]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry: an event of ECS or EC2, the schedule, or CloudFormation when it deletes the zone."""
    aws: Any = boto3
    clients = {name: aws.client(name) for name in ("ec2", "ecs", "route53")}
    zone = os.environ["ZONE_ID"]
    if "RequestType" in event:
        return respond(event, *emptied(event, clients["route53"], zone), time.sleep)
    done: dict[str, Any] = {"deleted": clean(clients, zone, event, time.sleep)}
    # Each task that is stopped sends an event. If those brought checks too, no share would bound what is stopped.
    if os.environ.get("CHECKS") == "true" and event.get("detail-type") == "Scheduled Event":
        done |= _checked(clients, zone, context)
    logging.getLogger().info(json.dumps(done))
    return done


def _checked(clients: dict[str, Any], zone: str, context: Any) -> dict[str, Any]:
    """Ask the tasks of every cluster; how many were asked, failed and were stopped."""
    import checks  # beside this file where it runs, and nowhere else known by this name

    ecs = clients["ecs"]
    running = (each for cluster in clusters(ecs) for each in tasks_of(ecs, cluster, "RUNNING"))
    return checks.checked(
        ecs,
        checks.probes(ecs, owned(clients["route53"], zone), running, datetime.now(UTC)),
        int(os.environ["STOP_PERCENT"]),
        checks.answers,
        time.sleep,
        lambda: context.get_remaining_time_in_millis() / 1000,
    )


# Records


def owned(route53: Any, zone: str) -> list[Owned]:
    """The records that agents made, of all pages."""
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    sets = (each for page in pages for each in page["ResourceRecordSets"])
    found = ((_OURS.fullmatch(each.get("SetIdentifier", "")), each) for each in sets)
    return [Owned(ours[1], ours[2] or "", ours[3] or "", each) for ours, each in found if ours]


def clean(
    clients: dict[str, Any], zone: str, event: dict[str, Any], sleep: Callable[[float], None]
) -> list[str]:
    """Delete what is gone; the names of what was deleted."""
    records = owned(clients["route53"], zone)
    alive = living(clients["ec2"], {each.host for each in records})
    over = stopped(clients["ecs"]) | _told(event)
    gone = [each for each in records if each.host not in alive or each.container in over]
    for batch in _batches(gone, _BATCH):
        _delete(clients["route53"], zone, [each.record for each in batch])
        sleep(_CALL_PAUSE)
    return [f"{each.record['Name']} {each.record['SetIdentifier']}" for each in gone]


def living(ec2: Any, hosts: Iterable[str]) -> set[str]:
    """Which of these instances are there. A filter takes ids that exist no more, where InstanceIds would fail."""
    found: set[str] = set()
    for batch in _batches(sorted(hosts), _BATCH):
        filters = [
            {"Name": "instance-id", "Values": batch},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
        for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
            found |= {each["InstanceId"] for part in page["Reservations"] for each in part["Instances"]}
    return found


def stopped(ecs: Any) -> set[str]:
    """Docker ids of containers that ECS has seen stop within the hour for which it remembers."""
    tasks = (each for cluster in clusters(ecs) for each in tasks_of(ecs, cluster, "STOPPED"))
    return {container.get("runtimeId", "") for each in tasks for container in each["containers"]} - {""}


def _told(event: dict[str, Any]) -> set[str]:
    """Those that the event itself says have stopped."""
    detail = event.get("detail", {})
    if detail.get("lastStatus") != "STOPPED":
        return set()
    return {each["runtimeId"] for each in detail.get("containers", ()) if each.get("runtimeId")}


def _delete(route53: Any, zone: str, records: list[dict[str, Any]]) -> None:
    """All at once; where one has changed or gone meanwhile, each by itself."""
    changes = [{"Action": "DELETE", "ResourceRecordSet": each} for each in records]
    try:
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    except route53.exceptions.InvalidChangeBatch:
        if len(records) > 1:
            for each in records:
                _delete(route53, zone, [each])
        else:
            logging.getLogger().info("gone meanwhile: %s", records[0]["Name"])


def emptied(event: dict[str, Any], route53: Any, zone: str) -> tuple[str, str]:
    """Status and reason of a request of CloudFormation's. Only a deletion has anything done."""
    if event["RequestType"] in ("Create", "Update"):
        return "SUCCESS", "Agents write the records."
    if event["RequestType"] != "Delete":
        return "FAILED", f"{event['RequestType']} is no request type"
    try:
        removed(route53, zone, route53.get_paginator("list_resource_record_sets"))
    except Exception as error:
        logging.getLogger().exception("not cleaned")
        return "FAILED", f"{type(error).__name__}: {error}"
    return "SUCCESS", "The zone is empty."


def removed(route53: Any, zone: str, paginator: Any) -> None:
    """Empty the zone before it goes with its stack; SOA and NS go with it."""
    sets = (each for page in paginator.paginate(HostedZoneId=zone) for each in page["ResourceRecordSets"])
    for batch in _batches([each for each in sets if each["Type"] not in ("NS", "SOA")], _BATCH):
        _delete(route53, zone, batch)


# Clusters


def clusters(ecs: Any) -> list[str]:
    """Every cluster of the region."""
    pages = ecs.get_paginator("list_clusters").paginate()
    return [each for page in pages for each in page["clusterArns"]]


def tasks_of(ecs: Any, cluster: str, status: str) -> Iterator[dict[str, Any]]:
    """Every task of a cluster that is to be RUNNING or STOPPED."""
    for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status):
        for batch in _batches(page["taskArns"], _BATCH):
            yield from ecs.describe_tasks(cluster=cluster, tasks=batch)["tasks"]


def _batches(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    listed = list(values)
    return (listed[start : start + size] for start in range(0, len(listed), size))


def respond(
    event: dict[str, Any], status: str, reason: str, sleep: Callable[[float], None]
) -> dict[str, Any]:
    """Tell CloudFormation, which waits for nothing else; again if the connection fails."""
    answer = {
        "Status": status,
        "Reason": reason[:1000],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    target = urlsplit(str(event["ResponseURL"]))
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    for attempt in range(_TRIES):
        connection = kind(target.netloc, timeout=5)
        try:
            connection.request(
                "PUT", f"{target.path}?{target.query}", json.dumps(answer), {"Content-Type": ""}
            )
            if connection.getresponse().status < 300:
                break
        except (OSError, http.client.HTTPException):
            logging.getLogger().exception("not answered")
        finally:
            connection.close()
        sleep(2**attempt)
    return answer
