"""Alarms: what somebody has to look at. Each is red when two of three periods in a row had one failure or more."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import AWSHelperFn, Ref, cloudwatch, dynamodb
from troposphere import serverless as sam

from ..blocks.properties import given
from .operations import FUNCTIONS

_PERIOD = 300  # seconds


def alarms(
    api: sam.HttpApi,
    stage: AWSHelperFn,
    functions: Sequence[sam.Function],
    table: dynamodb.Table,
    topics: list[Ref] | None,
) -> list[cloudwatch.Alarm]:
    """Failures of the API, of its functions and of its table, and the topics that are told of them.

    Names and dimensions: API Gateway, "Monitor CloudWatch metrics for HTTP APIs"; Lambda, "Types of metrics";
    DynamoDB, "Metrics and dimensions". DynamoDB's UserErrors is not among them: it counts the whole account, and
    what this API does wrong is a 5xx of its own.
    """
    of_functions = [
        _metric("AWS/Lambda", name, FunctionName=Ref(each))
        for name in ("Errors", "Throttles")
        for each in functions
    ]
    of_table = [
        _metric("AWS/DynamoDB", "SystemErrors", TableName=Ref(table), Operation=str(each.action.action))
        for each in FUNCTIONS
    ] + [
        _metric("AWS/DynamoDB", name, TableName=Ref(table))
        for name in ("ReadThrottleEvents", "WriteThrottleEvents")
    ]
    return [
        _alarm(
            "Api", "Callers got 5xx.", [_metric("AWS/ApiGateway", "5xx", ApiId=Ref(api), Stage=stage)], topics
        ),
        _alarm(
            "Function",
            "A function crashed, ran out of time, or Lambda had no room for it.",
            of_functions,
            topics,
        ),
        _alarm("Table", "DynamoDB failed, or refused requests as too many.", of_table, topics),
    ]


def _metric(namespace: str, name: str, **dimensions: AWSHelperFn | str) -> cloudwatch.Metric:
    listed = [cloudwatch.MetricDimension(Name=key, Value=value) for key, value in dimensions.items()]
    return cloudwatch.Metric(Namespace=namespace, MetricName=name, Dimensions=listed)


def _alarm(
    what: str, words: str, metrics: list[cloudwatch.Metric], topics: list[Ref] | None
) -> cloudwatch.Alarm:
    """An alarm over the sum of some metrics."""
    return cloudwatch.Alarm(
        f"{what}Alarm",
        AlarmDescription=words,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=1,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        TreatMissingData="notBreaching",
        Metrics=[
            cloudwatch.MetricDataQuery(Id="sum", Expression="SUM(METRICS())"),
            *(_query(f"m{index}", each) for index, each in enumerate(metrics)),
        ],
        **given(AlarmActions=topics),
    )


def _query(name: str, metric: cloudwatch.Metric) -> cloudwatch.MetricDataQuery:
    stat = cloudwatch.MetricStat(Metric=metric, Period=_PERIOD, Stat="Sum")
    return cloudwatch.MetricDataQuery(Id=name, MetricStat=stat, ReturnData=False)
