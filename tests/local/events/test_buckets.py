"""S3 notifications: to functions, queues, topics and EventBridge, by what happens to objects."""

from __future__ import annotations

import json
from typing import Any

from tests.local.events.harness import Case, Start, arn, eventually, function

QUEUE = {"Type": "AWS::SQS::Queue"}


def bucket(versions: bool = False, **notifications: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"NotificationConfiguration": notifications}
    if versions:
        properties["VersioningConfiguration"] = {"Status": "Enabled"}
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def filtered(**rules: str) -> dict[str, Any]:
    return {"Filter": {"S3Key": {"Rules": [{"Name": name, "Value": value} for name, value in rules.items()]}}}


def records(case: Case, queue: str, count: int) -> list[dict[str, Any]]:
    """Records of the next messages; the message with which S3 tries a queue is passed over."""
    bodies = case.bodies(queue, count + 1)
    tests = [each for each in bodies if each.get("Event") == "s3:TestEvent"]
    assert len(tests) == 1, bodies
    return [record for each in bodies if each not in tests for record in each["Records"]]


def test_a_function_gets_the_objects_that_its_filter_names(start: Start) -> None:
    created = {
        "Event": "s3:ObjectCreated:*",
        "Function": arn("Reporter"),
        **filtered(prefix="in/", suffix=".jpg"),
    }
    case = start({"Reporter": function(), "Bucket": bucket(LambdaConfigurations=[created])})
    s3, name = case.aws.client("s3"), case.ref("Bucket")
    s3.put_object(Bucket=name, Key="out/a.jpg", Body=b"1")
    s3.put_object(Bucket=name, Key="in/a.txt", Body=b"1")
    tag = s3.put_object(Bucket=name, Key="in/red flower+1.jpg", Body=b"1234")["ETag"]
    ((record,),) = (each["Records"] for each in case.seen())
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"]) == (
        "2.1",
        "aws:s3",
        "us-east-1",
    )
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["eventTime"].endswith("Z")
    assert record["userIdentity"]["principalId"]
    assert record["requestParameters"]["sourceIPAddress"]
    assert set(record["responseElements"]) == {"x-amz-request-id", "x-amz-id-2"}
    assert record["s3"]["s3SchemaVersion"] == "1.0"
    assert record["s3"]["bucket"]["name"] == name
    assert record["s3"]["bucket"]["arn"] == case.arn("Bucket")
    assert record["s3"]["bucket"]["ownerIdentity"]["principalId"]
    first = record["s3"]["object"].pop("sequencer")
    assert record["s3"]["object"] == {"key": "in/red+flower%2B1.jpg", "size": 4, "eTag": tag.strip('"')}
    s3.copy_object(Bucket=name, Key="in/b.jpg", CopySource={"Bucket": name, "Key": "in/red flower+1.jpg"})
    ((record,),) = (each["Records"] for each in case.seen())
    assert record["eventName"] == "ObjectCreated:Copy"
    assert int(record["s3"]["object"]["sequencer"], 16) > int(first, 16)
    assert list(case.sources.lines()) == ["Bucket → Reporter"]


def test_deletions_with_versions_reach_a_queue(start: Start) -> None:
    removed = {"Event": "s3:ObjectRemoved:*", "Queue": arn("Gone")}
    case = start({"Gone": QUEUE, "Bucket": bucket(versions=True, QueueConfigurations=[removed])})
    s3, name = case.aws.client("s3"), case.ref("Bucket")
    version = s3.put_object(Bucket=name, Key="a", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
    (record,) = records(case, "Gone", 1)
    assert record["eventName"] == "ObjectRemoved:DeleteMarkerCreated"
    assert record["s3"]["object"].pop("sequencer")
    assert record["s3"]["object"] == {"key": "a", "versionId": marker}
    assert version != marker


def test_a_multipart_upload_reaches_a_topic(start: Start) -> None:
    done = {"Event": "s3:ObjectCreated:CompleteMultipartUpload", "Topic": {"Ref": "Topic"}}
    subscription = [{"Protocol": "sqs", "Endpoint": arn("Heard")}]
    case = start(
        {
            "Heard": QUEUE,
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": subscription}},
            "Bucket": bucket(TopicConfigurations=[done]),
        }
    )
    s3, name = case.aws.client("s3"), case.ref("Bucket")
    s3.put_object(Bucket=name, Key="small", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=name, Key="big")["UploadId"]
    given: dict[str, Any] = {"Bucket": name, "Key": "big", "UploadId": upload}
    part = s3.upload_part(PartNumber=1, Body=b"1234567", **given)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **given)
    messages = [json.loads(each["Message"]) for each in case.bodies("Heard", 2)]
    (found,) = [each for each in messages if "Records" in each]
    assert found["Records"][0]["s3"]["object"]["key"] == "big"
    assert found["Records"][0]["s3"]["object"]["size"] == 7


def test_events_of_a_bucket_on_the_default_bus(start: Start) -> None:
    pattern = {"source": ["aws.s3"], "detail": {"object": {"key": [{"suffix": " b.txt"}]}}}
    rule = {"EventPattern": pattern, "Targets": [{"Id": "f", "Arn": arn("Reporter")}]}
    case = start(
        {
            "Reporter": function(),
            "Bucket": bucket(EventBridgeConfiguration={"EventBridgeEnabled": True}),
            "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
        }
    )
    s3, name = case.aws.client("s3"), case.ref("Bucket")
    s3.put_object(Bucket=name, Key="a.txt", Body=b"1")
    s3.put_object(Bucket=name, Key="a b.txt", Body=b"12")
    (event,) = case.seen()
    assert (event["detail-type"], event["resources"]) == ("Object Created", [case.arn("Bucket")])
    assert event["detail"]["reason"] == "PutObject"
    assert event["detail"]["bucket"] == {"name": name}
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("a b.txt", 2)
    assert "etag" in event["detail"]["object"]
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    s3.put_object_tagging(Bucket=name, Key="a b.txt", Tagging=tags)
    assert case.seen()[0]["detail-type"] == "Object Tags Added"
    s3.delete_object(Bucket=name, Key="a b.txt")
    (event,) = case.seen()
    assert (event["detail-type"], event["detail"]["reason"]) == ("Object Deleted", "DeleteObject")
    assert event["detail"]["deletion-type"] == "Permanently Deleted"


def test_a_call_succeeds_though_nobody_hears_of_it(start: Start) -> None:
    created = {"Event": "s3:ObjectCreated:*", "Function": arn("Reporter")}
    case = start({"Reporter": function(), "Bucket": bucket(LambdaConfigurations=[created])})
    case.close()
    case.aws.client("s3").put_object(Bucket=case.ref("Bucket"), Key="a", Body=b"1")
    assert eventually(lambda: "a notification was lost" in case.aws.log())
