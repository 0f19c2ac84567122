"""The ARNs of resources that take more than one parameter to name, or a look into the account.

Shapes are those of the Service Authorization Reference, with which tests compare them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import unquote

from ..place import Place
from .call import UNKNOWN, Asked, On, named
from .request import NotJudgedError, several


def table(asked: Asked) -> list[str]:
    """A table, or its index where the call reads one."""
    (arn,) = named("dynamodb", "table/{}", "TableName")(asked)
    index = asked.get("IndexName")
    return [f"{arn}/index/{index}" if index else arn]


def tables(asked: Asked) -> list[str]:
    """The tables of a batch."""
    names = cast("Mapping[str, Any]", asked.get("RequestItems") or {})
    return [each if each.startswith("arn:") else asked.arn("dynamodb", f"table/{each}") for each in names]


def in_transaction(kind: str) -> On:
    """The tables on which a transaction does one kind of thing, such as Put."""

    def on(asked: Asked) -> list[str]:
        items: list[Mapping[str, Any]] = asked.get("TransactItems") or []
        names = dict.fromkeys(str(each[kind]["TableName"]) for each in items if kind in each)
        return [each if each.startswith("arn:") else asked.arn("dynamodb", f"table/{each}") for each in names]

    return on


def bucket(asked: Asked) -> list[str]:
    """A bucket."""
    return [asked.arn("s3", asked["Bucket"], region=False, account=False)]


def stored(asked: Asked) -> list[str]:
    """An object."""
    return [f"{bucket(asked)[0]}/{asked['Key']}"]


def _source(asked: Asked) -> tuple[str, str]:
    """The object that is copied, as `bucket/key`, and its version. S3 API, "CopyObject": `bucket/key?versionId=…`."""
    path, _, version = unquote(asked.header("x-amz-copy-source") or "").lstrip("/").partition("?versionId=")
    return path, version


def copied(*, version: bool) -> On:
    """The object that is copied, if the call names its version, or if it does not."""

    def on(asked: Asked) -> list[str]:
        path, chosen = _source(asked)
        return [asked.arn("s3", path, region=False, account=False)] if bool(chosen) == version else []

    return on


def copied_with_tags(asked: Asked) -> list[str]:
    """The object that is copied, if it has tags and they are copied too, which is the default."""
    name, _, name_in_it = _source(asked)[0].partition("/")
    tags = asked.account.ask("s3", "get_object_tagging", Bucket=name, Key=name_in_it).get("TagSet")
    replaced = asked.header("x-amz-tagging-directive") == "REPLACE"
    found = asked.arn("s3", f"{name}/{name_in_it}", region=False, account=False)
    return [found] if tags and not replaced else []


def stored_with_copied_tags(asked: Asked) -> list[str]:
    """The copy of such an object."""
    return stored(asked) if copied_with_tags(asked) else []


def queue(asked: Asked) -> list[str]:
    """A queue, by its URL or its name."""
    name = asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2]
    return [asked.arn("sqs", str(name))]


def topic(asked: Asked) -> list[str]:
    """A topic; a message to a telephone names no resource."""
    return ["*"] if asked.get("PhoneNumber") else [str(asked.get("TargetArn") or asked["TopicArn"])]


def group(asked: Asked) -> list[str]:
    """An Auto Scaling group, named or that of an instance; its ARN has an id that no template can know."""
    name = asked.get("AutoScalingGroupName") or asked.account.group_of(asked["InstanceId"])
    return [
        asked.arn("autoscaling", f"autoScalingGroup:{each}:autoScalingGroupName/{name}") for each in UNKNOWN
    ]


def document(asked: Asked) -> list[str]:
    """An SSM document; AWS's own belong to no account."""
    name = asked["DocumentName"]
    return [name if name.startswith("arn:") else
            asked.arn("ssm", f"document/{name}", account=not name.startswith(("AWS-", "AWSEC2-")))]  # fmt: skip


def instances(asked: Asked) -> list[str]:
    """The instances of a command. Raises NotJudgedError for a command by tags."""
    if asked.get("Targets"):
        raise NotJudgedError(f"{asked.record.api} by Targets: the instances are not in the call")
    return named("ec2", "instance/{}", "InstanceIds")(asked)


def parameters(asked: Asked) -> list[str]:
    """SSM parameters, whose names may have a version or label at the end; a path ends without a slash."""
    names = [name for each in ("Name", "Names", "Path") for name in several(asked.get(each))]
    return [
        str(each) if str(each).startswith("arn:") else
        asked.arn("ssm", f"parameter/{str(each).strip('/').partition(':')[0]}") for each in names
    ]  # fmt: skip


def secret(asked: Asked) -> list[str]:
    """A secret. Its ARN ends with six characters that no template can know."""
    name = asked["SecretId"]
    found = name if name.startswith("arn:") else asked.account.secret(name)
    return (
        [found] if found else [asked.arn("secretsmanager", f"secret:{name}-{each[:6]}") for each in UNKNOWN]
    )


def key(asked: Asked) -> list[str]:
    """A KMS key by its id, its ARN, or an alias. Raises NotJudgedError for one that is not a customer's."""
    found = asked.account.key(asked["KeyId"])
    if found is None:
        raise NotJudgedError(f"{asked.record.api}: {asked['KeyId']} is no key of a customer's")
    return [found]


def log_stream(asked: Asked) -> list[str]:
    """A stream of a log group; without a name all of them."""
    name = asked.get("logStreamName") or ""
    return [asked.arn("logs", f"log-group:{asked['logGroupName']}:log-stream:{name}")]


def interfaces(asked: Asked) -> list[str]:
    """A network interface that is named, or those of the instance."""
    found = several(asked.get("NetworkInterfaceId")) or asked.account.interfaces_of(asked["InstanceId"])
    return [asked.arn("ec2", f"network-interface/{each}") for each in found]


def stack(asked: Asked) -> list[str]:
    """A CloudFormation stack."""
    name = asked["StackName"]
    if name.startswith("arn:"):
        return [name]
    if name == asked.place.stack_name:
        return [asked.place.stack_id]
    return [asked.arn("cloudformation", f"stack/{name}/{each}") for each in UNKNOWN]


def function(asked: Asked) -> list[str]:
    """A function by its name or ARN, with its version or alias."""
    name, qualifier = asked["FunctionName"], asked.get("Qualifier")
    arn = (
        name
        if name.startswith("arn:")
        else asked.arn("lambda", f"function:{name.rpartition(':function:')[2]}")
    )
    return [f"{arn}:{qualifier}" if qualifier else arn]


def buses(asked: Asked) -> list[str]:
    """The event buses of a batch of events."""
    entries: list[Mapping[str, Any]] = asked.get("Entries") or []
    names = dict.fromkeys(str(each.get("EventBusName") or "default") for each in entries)
    return [each if each.startswith("arn:") else asked.arn("events", f"event-bus/{each}") for each in names]


def of_route53(kind: str, parameter: str) -> On:
    """Something of Route 53, which has neither region nor account; ids may begin with /hostedzone/."""

    def on(asked: Asked) -> list[str]:
        name = asked[parameter].rpartition("/")[2]
        return [asked.arn("route53", f"{kind}/{name}", region=False, account=False)]

    return on


def in_cluster(kind: str, parameter: str) -> On:
    """Things of an ECS cluster, by ARN or by name."""

    def on(asked: Asked) -> list[str]:
        cluster = str(asked.get("cluster") or "default").rpartition("/")[2]
        return named("ecs", f"{kind}/{cluster}/{{}}", parameter)(asked)

    return on


def tasks_of(asked: Asked) -> list[str]:
    """The container instance whose tasks are listed. A list by anything else is asked on no resource."""
    chosen = asked.get("containerInstance")
    return in_cluster("container-instance", "containerInstance")(asked) if chosen else ["*"]


def layer(asked: Asked) -> list[str]:
    """A version of a layer, by its ARN."""
    return [asked["Arn"]]


def projects(asked: Asked) -> list[str]:
    """The CodeBuild projects of builds, whose ids are `project:build`."""
    names = dict.fromkeys(
        str(each).partition(":")[0] for name in ("ids", "id") for each in several(asked.get(name))
    )
    return [asked.arn("codebuild", f"project/{each}") for each in names]


def log_streams(place: Place, group_name: str) -> Iterator[str]:
    """Two streams of a group, for what AWS writes there under names of its own."""
    for each in UNKNOWN:
        yield place.arn("logs", f"log-group:{group_name}:log-stream:{each}")
