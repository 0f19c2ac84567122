"""A SAM template with every event source, run as `blueprints local` runs it."""

from __future__ import annotations

import json
import threading
from typing import Any

from blueprints.local.running import Running
from blueprints.local.stack import Stack
from tests.local.events.harness import eventually

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Seen:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: source, AttributeType: S}]
      KeySchema: [{AttributeName: source, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
  Uploads: {Type: AWS::S3::Bucket}
  Topic: {Type: AWS::SNS::Topic}
  Jobs: {Type: AWS::SQS::Queue}
  Keeper:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      MemorySize: 512
      Timeout: 20
      InlineCode: |
        import os
        import boto3

        def handler(event, context):
            records = event.get("Records") or [event]
            source = records[0].get("eventSource") or records[0].get("EventSource") or records[0]["source"]
            table = boto3.resource("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).Table(os.environ["TABLE"])
            table.put_item(Item={"source": source})
      Environment: {Variables: {TABLE: !Ref Seen}}
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Events:
        Upload: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: "s3:ObjectCreated:*"}}
        Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 1}}
        Message: {Type: SNS, Properties: {Topic: !Ref Topic}}
        Nightly: {Type: Schedule, Properties: {Schedule: "cron(0 3 * * ? *)"}}
        Order: {Type: EventBridgeRule, Properties: {Pattern: {source: [shop]}}}
"""


def test_each_source_calls_the_function() -> None:
    before = threading.active_count()
    with Running(Stack(TEMPLATE)) as running:
        aws, physical = running.aws, running.stack.physical
        aws.client("s3").put_object(Bucket=physical["Uploads"].ref, Key="k", Body=b"1")
        aws.client("sqs").send_message(QueueUrl=physical["Jobs"].ref, MessageBody="{}")
        aws.client("sns").publish(TopicArn=physical["Topic"].ref, Message="m")
        entry = {"Source": "shop", "DetailType": "Order", "Detail": "{}"}
        aws.client("events").put_events(Entries=[entry])

        def seen() -> set[str]:
            items: list[Any] = aws.client("dynamodb").scan(TableName=physical["Seen"].ref)["Items"]
            return {each["source"]["S"] for each in items}

        wanted = {"aws:s3", "aws:sqs", "aws:sns", "shop"}
        assert eventually(lambda: seen() == wanted), seen()
        assert aws.unimplemented() == []
        assert running.not_run == {"AWS::Lambda::Permission": 4}
        assert running.sources is not None
        sources = ("KeeperNightly", "KeeperOrder", "Uploads", "KeeperJob", "KeeperMessage")
        assert sorted(running.sources.lines()) == sorted(f"{each} → Keeper" for each in sources)
    # What polled and waited has ended, or ends now that the server has gone.
    assert eventually(lambda: threading.active_count() <= before), threading.enumerate()


def test_functions_stay_reachable_by_the_api_of_lambda() -> None:
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                        "Principal": {"Service": "lambda.amazonaws.com"}}]}}},
            "Twice": {"Type": "AWS::Lambda::Function", "Properties": {
                "Runtime": "python3.13", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "MemorySize": 256,
                "Code": {"ZipFile": "def handler(event, context):\n    return 2 * event"}}},
        }
    }  # fmt: skip
    with Running(Stack(json.dumps(template))) as running:
        name = running.stack.physical["Twice"].ref
        done = running.aws.client("lambda").invoke(FunctionName=name, Payload=b"21")
        assert json.loads(done["Payload"].read()) == 42
