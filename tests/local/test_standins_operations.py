"""Operations that moto lacks, against AWS's documented examples, and canaries that say when moto has learnt them."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.utils import camelcase_to_underscores
from moto.ec2.responses import EC2Response

from blueprints.local.aws import Aws
from blueprints.local.standins.control import Control
from blueprints.local.standins.launches import Launches

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/AWaitingTestStack/1"
MOTO = {"cloudformation": CloudFormationResponse, "ec2": EC2Response}


@pytest.mark.parametrize("api", sorted(Control().operations.keys() - Launches().operations.keys()))
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


# Launches of Auto Scaling groups that EC2 has no instances for


def test_a_group_gets_what_ec2_has_and_goes_on_asking(aws: Aws) -> None:
    """The message is the one of the User Guide's "Troubleshoot … EC2 instance launch failures"."""
    scaling, ec2 = aws.client("autoscaling"), aws.client("ec2")
    ec2.create_launch_template(
        LaunchTemplateName="node", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "g6.xlarge"}
    )
    aws.limit_launches("g6.xlarge", 2)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="nodes", LaunchTemplate={"LaunchTemplateName": "node"},
        MinSize=0, MaxSize=4, DesiredCapacity=4, AvailabilityZones=["us-east-1a"],
    )  # fmt: skip

    def group() -> tuple[int, int]:
        (found,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["nodes"])["AutoScalingGroups"]
        return found["DesiredCapacity"], len(found["Instances"])

    def activities(**page: Any) -> list[dict[str, Any]]:
        return scaling.describe_scaling_activities(AutoScalingGroupName="nodes", **page)["Activities"]

    assert group() == (4, 2)
    assert [each["StatusCode"] for each in activities()] == ["Failed"] * 2 + ["Successful"] * 2
    assert activities()[0]["StatusMessage"].startswith(
        "We currently do not have sufficient g6.xlarge capacity in"
    )
    assert activities()[0]["StatusMessage"] in activities()[0]["Description"]
    aws.limit_launches("g6.xlarge", 3)
    assert group() == (4, 3)
    assert [each["StatusCode"] for each in activities(MaxRecords=2)] == ["Failed", "Successful"]
    pages = scaling.get_paginator("describe_scaling_activities").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["Activities"]) for page in pages] == [2, 2, 2]
    aws.limit_launches("g6.xlarge", 9)
    assert group() == (4, 4)
    assert activities()[0]["Description"].startswith("Launching a new EC2 instance: i-")


def test_moto_still_tells_no_activities() -> None:
    """When this fails, moto has learnt them: take what `launches.py` has of them away."""
    told: Any = AutoScalingResponse.describe_scaling_activities(cast("Any", None))
    assert told.result == {"Activities": []}
