"""Queues and notifications: messages that cannot be handled, events that cause themselves, who may deliver."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..actions import matches
from ..check import Hit, at, check
from ..model import Model, Reference, Resource, alternatives, arms, either_way, with_defaults, written
from .functions import FUNCTIONS, functions_behind, policies_of, roles_of
from .launch import mappings, numbers, says, text
from .permissions import statements_of

_QUEUE = "AWS::SQS::Queue"
_BUCKET = "AWS::S3::Bucket"
_PUT = "s3:PutObject"
_WRITES_ALL = re.compile(r"/(?:AmazonS3FullAccess|AdministratorAccess|PowerUserAccess)$")
_DEFAULT_RETENTION, _LONGEST_RETENTION = 345600, 1209600


@check(
    "CB043",
    "Queue of a function without dead-letter queue",
    harm="A message that the function cannot handle comes back until it expires: it costs money, holds up the others "
    "and is lost in the end without a trace.",
    source="SQS Developer Guide, 'Using dead-letter queues in Amazon SQS'",
    remedy="give the queue a RedrivePolicy",
)
@either_way
def queue_without_redrive(model: Model) -> Iterator[Hit]:
    consumed = {
        edge.target for edge in model.edges if edge.path.endswith(("EventSourceArn", "Properties.Queue"))
    }
    dead = {edge.target for edge in model.edges if _is_for_failures(edge.path)}
    for queue in model.of(_QUEUE):
        redriven = any(True for _ in alternatives(queue.get("RedrivePolicy")))
        if queue.id in consumed - dead and not redriven:
            yield Hit(at(queue.id), "what its function cannot handle comes back for days")


def _is_for_failures(path: str) -> bool:
    return any(name in path for name in ("RedrivePolicy", "DeadLetter", "OnFailure"))


@check(
    "CB160",
    "Dead-letter queue that forgets as soon as its source",
    harm="A message keeps the time of its first arrival: moved on the last day, it is gone before anybody looks.",
    source="SQS Developer Guide, 'Using dead-letter queues in Amazon SQS', message retention periods",
    remedy="set MessageRetentionPeriod of the dead-letter queue to 1209600, fourteen days",
    severity="warning",
)
@either_way
def dead_letters_expire(model: Model) -> Iterator[Hit]:
    hits: dict[str, str] = {}
    for queue in model.of(_QUEUE):
        for dead in _dead_letter_queues(model, queue):
            kept, source = _retention(dead), _retention(queue)
            if kept and source and min(kept) <= max(source) and min(kept) < _LONGEST_RETENTION:
                hits[dead.id] = f"it keeps messages {min(kept)} s and {queue.id} {max(source)} s"
    for name, what in hits.items():
        yield Hit(at(name), what)


def _dead_letter_queues(model: Model, queue: Resource) -> Iterator[Resource]:
    if says(queue.get("FifoQueue"), "true"):
        return  # a message that moves there begins anew
    for policy in mappings(queue.get("RedrivePolicy")):
        for target in alternatives(policy.get("deadLetterTargetArn")):
            if isinstance(target, Reference) and target.target in model.resources:
                yield model.resources[target.target]


def _retention(queue: Resource) -> list[int]:
    return numbers(queue.get("MessageRetentionPeriod", _DEFAULT_RETENTION))


@check(
    "CB044",
    "Function that its own output starts",
    harm="Each object it writes starts it again: an endless loop that costs until somebody sees the bill.",
    source="Lambda Developer Guide, 'Process Amazon S3 event notifications with Lambda', warning on loops",
    remedy="write to another bucket, or read and write under prefixes that exclude each other",
)
@with_defaults
def starts_itself(model: Model) -> Iterator[Hit]:
    for bucket in model.of(_BUCKET):
        rules = (
            rule
            for given in mappings(bucket.get("NotificationConfiguration"))
            for rule in mappings(given.get("LambdaConfigurations"))
        )
        for index, rule in enumerate(rules):
            path = at(bucket.id, f"Properties.NotificationConfiguration.LambdaConfigurations.{index}")
            for function in functions_behind(model, rule.get("Function")):
                again = _written_and_read(model, rule, function, bucket)
                if again:
                    yield Hit(path, f"{function.id} may write to {again[0] or 'all of it'}")
    yield from _publishes_to_itself(model)


def _publishes_to_itself(model: Model) -> Iterator[Hit]:
    for subscriber in model.of("AWS::SNS::Subscription"):
        edges = [each for each in model.edges if each.source == subscriber.id]
        named = {each.target for each in edges if each.path == "Properties.TopicArn"}
        called = {each.target for each in edges if "Endpoint" in each.path}
        for function in model.of(*FUNCTIONS):
            if function.id in called and _published_to(model, function) & named:
                yield Hit(at(subscriber.id), f"{function.id} may publish to what calls it")


def _published_to(model: Model, function: Resource) -> set[str]:
    """Topics that the function's role names to publish to."""
    owners = {each for role in roles_of(model, function.id) for each in (role, *policies_of(model, role))}
    granted = (each for owner in owners for each in statements_of(model.resources[owner]))
    return {
        on.target
        for each in granted
        if each.may("sns:Publish")
        for on in each.on
        if isinstance(on, Reference)
    }


def _written_and_read(
    model: Model, rule: Mapping[str, Any], function: Resource, bucket: Resource
) -> list[str]:
    """Prefixes that the function may write to and is started by."""
    written = _written_prefixes(model, function, bucket)
    return sorted(
        {each for read in _read(rule) for each in written if each.startswith(read) or read.startswith(each)}
    )


def _read(rule: Mapping[str, Any]) -> Iterator[str]:
    """The prefix it reads; nothing where it reads no new objects, or by a suffix, which says too little."""
    if not any(str(each).startswith("s3:ObjectCreated") for each in alternatives(rule.get("Event"))):
        return
    keys = [key for each in mappings(rule.get("Filter")) for key in mappings(each.get("S3Key"))]
    found = [each for key in keys for each in mappings(key.get("Rules"))]
    prefixes = {str(each.get("Name")).lower(): each.get("Value") for each in found}
    if not prefixes.keys() - {"prefix"}:
        yield from (each for each in alternatives(prefixes.get("prefix", "")) if isinstance(each, str))


def _written_prefixes(model: Model, function: Resource, bucket: Resource) -> set[str]:
    """Prefixes in a bucket where the function's role may put objects."""
    found: set[str] = set()
    for role in roles_of(model, function.id):
        for owner in (role, *policies_of(model, role)):
            properties = model.resources[owner].raw_properties()
            if any(_WRITES_ALL.search(written(each)) for each in _each(properties.get("ManagedPolicyArns"))):
                found.add("")
            for statement in _statements(properties):
                if statement.get("Effect") == "Allow" and _may_put(statement):
                    found.update(_prefixes(model, statement, bucket))
    return found


def _statements(properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for policy in (properties, *_mappings(properties.get("Policies"))):
        for document in _mappings(policy.get("PolicyDocument")):
            yield from _mappings(document.get("Statement"))


def _mappings(raw: Any) -> Iterator[Mapping[str, Any]]:
    return (cast("Mapping[str, Any]", each) for each in _each(raw) if isinstance(each, Mapping))


def _each(raw: Any) -> Iterator[Any]:
    """Elements of a list as written, or the one that stands in its place."""
    for value in arms(raw):
        for element in cast("list[Any]", value) if isinstance(value, list) else [value]:
            yield from arms(element)


def _may_put(statement: Mapping[str, Any]) -> bool:
    actions = {str(each) for each in _each(statement.get("Action"))}
    spared = {str(each) for each in _each(statement.get("NotAction"))}
    return any(matches(each, _PUT) for each in actions) or (
        bool(spared) and not any(matches(each, _PUT) for each in spared)
    )


def _prefixes(model: Model, statement: Mapping[str, Any], bucket: Resource) -> Iterator[str]:
    name = bucket.raw_properties().get("BucketName")
    known = [f":::${{{bucket.id}}}", *([f":::{text(model, name)}"] if name is not None else [])]
    if "NotResource" in statement:
        yield ""
    for each in _each(statement.get("Resource")):
        resource = text(model, each).replace(f"${{{bucket.id}.Arn}}", known[0])
        if resource.rpartition(":::")[2].startswith("*"):
            yield ""  # every bucket, or every one whose name ends so
        for start in known:
            _, found, rest = resource.partition(start)
            if found and rest.startswith(("/", "*")):
                yield rest.lstrip("/").partition("*")[0]


@check(
    "CB159",
    "Bucket that notifies before it may",
    harm="S3 sends a test message when notifications are configured: 'Unable to validate the following destination "
    "configurations', and the stack rolls back.",
    source="CloudFormation Template Reference, 'AWS::S3::Bucket NotificationConfiguration'",
    remedy="let the bucket depend on the permission, which names the bucket by its text rather than by reference, or "
    "use EventBridge",
)
@with_defaults
def notifies_before_permission(model: Model) -> Iterator[Hit]:
    for bucket in model.of(_BUCKET):
        for target in sorted(_notified(model, bucket.id)):
            permissions = _permissions(model, target)
            if permissions and not permissions & model.needs(bucket.id):
                path = at(bucket.id, "Properties.NotificationConfiguration")
                yield Hit(path, f"it does not wait for {', '.join(sorted(permissions))}")


def _notified(model: Model, bucket: str) -> set[str]:
    return {
        edge.target
        for edge in model.edges
        if edge.source == bucket and edge.path.startswith("Properties.NotificationConfiguration")
    } & model.resources.keys()


def _permissions(model: Model, target: str) -> set[str]:
    """What lets S3 deliver to a function, queue or topic."""
    paths = ("Properties.FunctionName", "Properties.Queues", "Properties.Topics")
    kinds = ("AWS::Lambda::Permission", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    own = {
        each.id for each in model.of(*kinds) if str(each.get("Principal", "s3")).startswith(("s3", "Opaque"))
    }
    return {
        e.source for e in model.edges if e.target == target and e.source in own and e.path.startswith(paths)
    }
