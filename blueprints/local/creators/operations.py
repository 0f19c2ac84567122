"""What operates a system: logs, parameters, documents, alarms."""

from __future__ import annotations

from typing import Any

from ..creator import Client, New, creates
from ..resolver import Physical


def _log_group(client: Client, physical: Physical) -> Any:
    found = client("logs").describe_log_groups(logGroupNamePrefix=physical.ref)["logGroups"]
    return [each for each in found if each["logGroupName"] == physical.ref]


@creates("AWS::Logs::LogGroup", attributes=("Arn",), exists=_log_group)
def log_group(new: New) -> Physical:
    """A log group and how long it keeps events."""
    name, days = new.name("LogGroupName"), new.get("RetentionInDays")
    settings = {"kmsKeyId": new.get("KmsKeyId"), "logGroupClass": new.get("LogGroupClass")}
    new.call("logs", "create_log_group", logGroupName=name, tags=new.tag_map() or None, **settings)
    if days is not None:
        new.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)
    return Physical(name, {"Arn": new.place.arn("logs", f"log-group:{name}:*")})


def _parameter(client: Client, physical: Physical) -> Any:
    return client("ssm").get_parameter(Name=physical.ref)["Parameter"]


@creates("AWS::SSM::Parameter", attributes=("Type", "Value"), exists=_parameter)
def parameter(new: New) -> Physical:
    """A parameter of the parameter store."""
    name = new.get("Name") or f"CFN-{new.place.physical_name(new.logical_id)}"
    new.call("ssm", "put_parameter", Name=name, Tags=new.tags() or None, **new.rest())
    return Physical(name, {"Type": new.properties["Type"], "Value": new.properties["Value"]})


def _document(client: Client, physical: Physical) -> Any:
    return client("ssm").describe_document(Name=physical.ref)["Document"]


# How CloudFormation replaces a document; here nothing is replaced.
@creates("AWS::SSM::Document", exists=_document, ignored=("UpdateMethod",))
def document(new: New) -> Physical:
    """A document; content that stands in the template as a mapping is JSON, as CloudFormation makes it."""
    name, content = new.name("Name", 128), new.get("Content")
    notation = new.get("DocumentFormat", "JSON")
    settings = {"DocumentType": new.get("DocumentType", "Command"), "Tags": new.tags() or None}
    new.call(
        "ssm",
        "create_document",
        Name=name,
        Content=content,
        DocumentFormat=notation,
        **settings,
        **new.rest(),
    )
    return Physical(name)


def _alarm(client: Client, physical: Physical) -> Any:
    return client("cloudwatch").describe_alarms(AlarmNames=[physical.ref])["MetricAlarms"]


@creates("AWS::CloudWatch::Alarm", attributes=("Arn",), exists=_alarm)
def alarm(new: New) -> Physical:
    """An alarm on a metric."""
    name, tags = new.name("AlarmName"), new.tags() or None
    new.call("cloudwatch", "put_metric_alarm", AlarmName=name, Tags=tags, **new.rest())
    return Physical(name, {"Arn": new.place.arn("cloudwatch", f"alarm:{name}")})
