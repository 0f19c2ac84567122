"""Reasons that grants carry into the template."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from awacs import ec2, s3

from blueprints.blocks import roles

ARN = "arn:aws:s3:::bucket/*"
NEVER = "Only a failed upload leads there."
ANY = "The name does not exist before the role does."


def metadata(*grants: roles.Grant) -> Any:
    made = cast("dict[str, Any]", json.loads(roles.role("Role", "lambda", grants).to_json()))
    return made.get("Metadata")


def test_a_plain_grant_says_nothing() -> None:
    assert metadata(roles.allow(s3.GetObject, on=ARN)) is None


def test_reasons_stand_beside_what_they_are_for() -> None:
    assert metadata(
        roles.allow(s3.AbortMultipartUpload, on=ARN, unused_because=NEVER),
        roles.allow(s3.GetObject, on=ARN, wider_because=ANY),
        roles.allow_everywhere(ec2.DescribeInstances, because="It has no resource to name."),
    ) == {
        "AllowedUnused": [{"Actions": ["s3:AbortMultipartUpload"], "Because": NEVER}],
        "AllowedWider": [{"On": [ARN], "Because": ANY}],
        "AllowedEverywhere": [
            {"Actions": ["ec2:DescribeInstances"], "Because": "It has no resource to name."}
        ],
    }


def test_a_reason_for_breadth_is_of_the_patterns_alone() -> None:
    grant = roles.allow(s3.GetObject, on=["arn:aws:s3:::bucket/one", f"{ARN}/*"], wider_because=ANY)
    assert metadata(grant) == {"AllowedWider": [{"On": [f"{ARN}/*"], "Because": ANY}]}


@pytest.mark.parametrize("name", ["unused_because", "wider_because"])
@pytest.mark.parametrize("reason", ["", "needed"])
def test_a_reason_explains(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match="explains nothing"):
        roles.allow(s3.GetObject, on=ARN, **cast("Any", {name: reason}))
