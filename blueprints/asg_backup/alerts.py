"""Who is told: a topic for what happened, and alarms for what failed or was never delivered."""

from __future__ import annotations

from typing import Any

from awacs import kms as kms_actions
from awacs import sns as sns_actions
from awacs import sqs as sqs_actions
from awacs.aws import (
    Allow,
    ArnEquals,
    Condition,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
)
from troposphere import AWSHelperFn, GetAtt, Ref, Sub, cloudwatch, events, kms, sns, sqs, stepfunctions

_PERIOD = 300
_OWN_ACCOUNT = Condition(StringEquals({"aws:SourceAccount": Ref("AWS::AccountId")}))
_ADMINISTRATION = [
    kms_actions.CancelKeyDeletion,
    kms_actions.DescribeKey,
    kms_actions.EnableKeyRotation,
    kms_actions.GetKeyPolicy,
    kms_actions.PutKeyPolicy,
    kms_actions.ScheduleKeyDeletion,
    kms_actions.TagResource,
]
_USE = [kms_actions.Decrypt, kms_actions.GenerateDataKey]


def topic_key() -> kms.Key:
    """A key for the topic alone. With the key that AWS keeps for SNS, alarms could not reach the topic.

    re:Post, "How do I configure a CloudWatch alarm that includes an encrypted SNS topic?". The topic keeps nothing,
    so the key may go with the stack.
    """
    owner = Principal("AWS", Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root"))
    because = "in a key's policy it is the key"
    return kms.Key(
        "TopicKey",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        EnableKeyRotation=True,
        PendingWindowInDays=7,
        KeyPolicy=PolicyDocument(
            Version="2012-10-17",
            Statement=[
                Statement(Effect=Allow, Principal=owner, Action=[*_ADMINISTRATION, *_USE], Resource=["*"]),
                Statement(
                    Effect=Allow,
                    Principal=Principal("Service", "cloudwatch.amazonaws.com"),
                    Action=_USE,
                    Resource=["*"],
                    Condition=_OWN_ACCOUNT,
                ),
            ],
        ),
        Metadata={
            "AllowedEverywhere": [
                {"Actions": [each.JSONrepr() for each in actions], "Because": because}
                for actions in ([*_ADMINISTRATION, *_USE], _USE)
            ]
        },
    )


def topic(key: AWSHelperFn) -> sns.Topic:
    """What happened to each instance, as a line of JSON."""
    return sns.Topic("Topic", KmsMasterKeyId=key)


def topic_policy(topic: sns.Topic) -> sns.TopicPolicy:
    """Alarms of this account may publish. Roles of this account have policies of their own."""
    alarms = Statement(
        Effect=Allow,
        Principal=Principal("Service", "cloudwatch.amazonaws.com"),
        Action=[sns_actions.Publish],
        Resource=[Ref(topic)],
        Condition=_OWN_ACCOUNT,
    )
    return sns.TopicPolicy(
        "TopicPolicy",
        Topics=[Ref(topic)],
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[alarms]),
    )


def undelivered() -> sqs.Queue:
    """Events that EventBridge could not hand over."""
    return sqs.Queue(
        "UndeliveredQueue",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        MessageRetentionPeriod=14 * 86400,
        SqsManagedSseEnabled=True,
    )


def undelivered_policy(queue: sqs.Queue, rules: list[events.Rule]) -> sqs.QueuePolicy:
    """These rules may put events there."""
    statement = Statement(
        Effect=Allow,
        Principal=Principal("Service", "events.amazonaws.com"),
        Action=[sqs_actions.SendMessage],
        Resource=[GetAtt(queue, "Arn")],
        Condition=Condition(ArnEquals({"aws:SourceArn": [GetAtt(rule, "Arn") for rule in rules]})),
    )
    return sqs.QueuePolicy(
        "UndeliveredQueuePolicy",
        Queues=[Ref(queue)],
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[statement]),
    )


def failure_alarm(
    backup: stepfunctions.StateMachine, intake: stepfunctions.StateMachine, topic: sns.Topic
) -> cloudwatch.Alarm:
    """An execution of either machine did not end well: a backup failed, or nobody could see to it."""
    ended = ((backup, "ExecutionsFailed"), (backup, "ExecutionsTimedOut"), (intake, "ExecutionsFailed"))
    queries = [
        _query(f"m{index}", "AWS/States", name, "Sum", StateMachineArn=Ref(machine))
        for index, (machine, name) in enumerate(ended, start=1)
    ]
    total = cloudwatch.MetricDataQuery(Id="total", Expression="SUM(FILL(METRICS(), 0))", ReturnData=True)
    return _alarm("FailureAlarm", "An instance may end without its backup.", topic, [*queries, total])


def undelivered_alarm(queue: sqs.Queue, topic: sns.Topic) -> cloudwatch.Alarm:
    """EventBridge gave an event up: an instance waits, and nobody knows."""
    name = "ApproximateNumberOfMessagesVisible"
    query = _query("m1", "AWS/SQS", name, "Maximum", QueueName=GetAtt(queue, "QueueName"))
    query.ReturnData = True
    return _alarm("UndeliveredAlarm", "An event was not delivered; the queue holds it.", topic, [query])


def _query(identity: str, namespace: str, name: str, statistic: str, **dimensions: AWSHelperFn) -> Any:
    listed = [cloudwatch.MetricDimension(Name=key, Value=value) for key, value in dimensions.items()]
    metric = cloudwatch.Metric(Namespace=namespace, MetricName=name, Dimensions=listed)
    measured = cloudwatch.MetricStat(Metric=metric, Period=_PERIOD, Stat=statistic)
    return cloudwatch.MetricDataQuery(Id=identity, MetricStat=measured, ReturnData=False)


def _alarm(title: str, description: str, topic: sns.Topic, metrics: list[Any]) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        title,
        AlarmDescription=description,
        AlarmActions=[Ref(topic)],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Metrics=metrics,
        Threshold=0,
        TreatMissingData="notBreaching",
    )
