"""Operations that moto lacks, against AWS's documented examples, and canaries that say when moto has learnt them."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.utils import camelcase_to_underscores
from moto.ec2.responses import EC2Response

from blueprints.local.aws import Aws
from blueprints.local.standins.control import Control

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/AWaitingTestStack/1"
MOTO = {"cloudformation": CloudFormationResponse, "ec2": EC2Response}


@pytest.mark.parametrize("api", sorted(Control().operations))
def test_moto_still_lacks(api: str) -> None:
    """When this fails, moto has the operation: take the stand-in away."""
    service, operation = api.split(":")
    assert not hasattr(MOTO[service], camelcase_to_underscores(operation))


# cloudformation:SignalResource


def signal(
    aws: Aws, resource: str = "MyWaitCondition", unique_id: str = "test-signal", status: str = "SUCCESS"
) -> Any:
    return aws.client("cloudformation").signal_resource(
        StackName="AWaitingTestStack", LogicalResourceId=resource, UniqueId=unique_id, Status=status
    )


def states(aws: Aws) -> dict[str, str]:
    return {each["resource"]: each["state"] for each in aws.signals()}


def test_the_documented_request_and_its_response(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html, "Examples"."""
    aws.expect_signals(STACK, "MyWaitCondition", 1)
    scope = "Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/cloudformation/aws4_request"
    query = (
        "Action=SignalResource&LogicalResourceId=MyWaitCondition&StackName=AWaitingTestStack"
        "&Status=SUCCESS&UniqueId=test-signal&Version=2010-05-15"
    )
    connection = HTTPConnection("127.0.0.1", aws.port, timeout=20)
    connection.request("GET", f"/?{query}", headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}, x"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert re.search(
        r"<SignalResourceResponse.*<ResponseMetadata>\s*<RequestId>.+</RequestId>", text, re.DOTALL
    )
    assert aws.signals() == [
        {
            "stack": STACK,
            "resource": "MyWaitCondition",
            "count": 1,
            "state": "CREATE_COMPLETE",
            "signals": [{"unique_id": "test-signal", "status": "SUCCESS"}],
        }
    ]


def test_signals_count_by_their_ids(aws: Aws) -> None:
    aws.expect_signals(STACK, "MyWaitCondition", 2)
    signal(aws, unique_id="i-1")
    signal(aws, unique_id="i-1")
    assert states(aws) == {"MyWaitCondition": "CREATE_IN_PROGRESS"}
    signal(aws, unique_id="i-2")
    assert states(aws) == {"MyWaitCondition": "CREATE_COMPLETE"}


def test_one_failure_is_enough(aws: Aws) -> None:
    aws.expect_signals(STACK, "MyWaitCondition", 2)
    signal(aws, status="FAILURE")
    assert states(aws) == {"MyWaitCondition": "CREATE_FAILED"}


def test_signals_that_are_refused(aws: Aws) -> None:
    """Words of https://github.com/aws-cloudformation/aws-cloudformation-templates/issues/34."""
    with pytest.raises(ClientError, match=r"\(ValidationError\).*MyWaitCondition does not exist for stack"):
        signal(aws)
    aws.expect_signals(STACK, "MyWaitCondition", 1)
    aws.expect_signals(STACK, "Other", 1)
    signal(aws)
    with pytest.raises(
        ClientError, match="Resource MyWaitCondition is in CREATE_COMPLETE state and cannot be signaled"
    ):
        signal(aws, unique_id="late")
    signal(aws, "Other")
    with pytest.raises(
        ClientError, match=f"Stack {STACK} is in CREATE_COMPLETE state and cannot be signaled"
    ):
        signal(aws, "Other", unique_id="late")
    with pytest.raises(ClientError, match="Status must be one of SUCCESS, FAILURE"):
        signal(aws, status="MAYBE")


# ec2 placement groups


def test_a_placement_group_lives_and_dies(aws: Aws) -> None:
    """The example of API_CreatePlacementGroup.html: a group my-cluster with the strategy cluster."""
    ec2 = aws.client("ec2")
    made = ec2.create_placement_group(GroupName="my-cluster", Strategy="cluster")["PlacementGroup"]
    assert re.fullmatch(r"pg-[0-9a-f]{17}", made.pop("GroupId"))
    assert made == {"GroupName": "my-cluster", "Strategy": "cluster", "State": "available"}
    ec2.create_placement_group(GroupName="racks", Strategy="partition", PartitionCount=3)
    assert [each["GroupName"] for each in ec2.describe_placement_groups()["PlacementGroups"]] == [
        "my-cluster",
        "racks",
    ]
    named = ec2.describe_placement_groups(GroupNames=["racks"])["PlacementGroups"]
    assert [each["PartitionCount"] for each in named] == [3]
    ec2.delete_placement_group(GroupName="my-cluster")
    assert [each["GroupName"] for each in ec2.describe_placement_groups()["PlacementGroups"]] == ["racks"]


def test_placement_groups_that_are_refused(aws: Aws) -> None:
    """Codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html."""
    ec2 = aws.client("ec2")
    ec2.create_placement_group(GroupName="one", Strategy="spread")
    with pytest.raises(ClientError, match=r"\(InvalidPlacementGroup.Duplicate\)"):
        ec2.create_placement_group(GroupName="one", Strategy="spread")
    with pytest.raises(ClientError, match=r"\(InvalidPlacementGroup.Unknown\)"):
        ec2.delete_placement_group(GroupName="two")
    with pytest.raises(ClientError, match=r"\(InvalidPlacementGroup.Unknown\)"):
        ec2.describe_placement_groups(GroupNames=["two"])
    with pytest.raises(ClientError, match=r"\(InvalidParameterValue\)"):
        ec2.create_placement_group(GroupName="three", Strategy="heap")
