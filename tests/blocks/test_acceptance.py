"""accept(): what it writes, and what it refuses."""

from __future__ import annotations

import pytest
from troposphere import ec2

from blueprints.blocks.acceptance import accept
from blueprints.core import BuildError

REASON = "The zone is the one where the reserved capacity is; another account reserves its own."
OTHER = "Addresses are handed out here on purpose: the subnet holds the load balancer and nothing else."


def subnet() -> ec2.Subnet:
    return ec2.Subnet("Subnet", CidrBlock="10.0.0.0/24", VpcId="vpc")


def test_the_resource_comes_back_with_the_acceptance_and_what_it_had() -> None:
    bare = subnet()
    bare.Metadata = {"Purpose": "balancer"}
    assert accept(bare, ["W3010"], REASON) is bare
    assert bare.to_dict()["Metadata"] == {
        "Purpose": "balancer",
        "compute-blueprints": {"accepted": [{"ids": ["W3010"], "reason": REASON}]},
        "cfn-lint": {"config": {"ignore_checks": ["W3010"]}},
    }


def test_a_second_acceptance_joins_the_first() -> None:
    metadata = accept(
        accept(subnet(), ["W3010"], REASON), ["CB032", "W3005", "CKV_AWS_130"], OTHER
    ).to_dict()["Metadata"]
    assert [each["reason"] for each in metadata["compute-blueprints"]["accepted"]] == [REASON, OTHER]
    assert metadata["cfn-lint"]["config"]["ignore_checks"] == ["W3010", "W3005"]
    assert metadata["checkov"]["skip"] == [{"id": "CKV_AWS_130", "comment": OTHER}]


def test_all_faults_are_told_at_once_and_nothing_is_written() -> None:
    bare = subnet()
    with pytest.raises(BuildError) as told:
        accept(bare, ["CB049", "open"], "no")
    for part in (
        "Subnet: ",
        "CB049 reports ingress from the whole world",
        "'open' is no rule's id",
        "explains little",
    ):
        assert part in str(told.value)
    assert "Metadata" not in bare.to_dict()
