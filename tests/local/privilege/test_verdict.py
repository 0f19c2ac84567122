"""Verdicts and mutants over hand-written roles: a bad one for each kind of failure."""

from __future__ import annotations

from typing import Any

import pytest

from blueprints.core import BlueprintError
from blueprints.local.privilege.policies import roles
from blueprints.local.resolver import Physical

from .harness import ROLE, TABLE, called, failures, judged, stack_of, statement

GET = called("dynamodb:GetItem", TableName="stack-Table")
READ = statement("dynamodb:GetItem", TABLE)
INSTANCES = "arn:aws:ec2:us-east-1:123456789012:instance/"


def stop(name: str) -> Any:
    return called("ec2:StopInstances", InstanceIds=[name])


def test_a_role_that_grants_what_is_used_is_clean_and_every_mutant_fails() -> None:
    watched = judged(stack_of(READ), GET)
    assert failures(watched) == []
    assert watched.verdict().uses == {("Role.Own.0", "dynamodb:GetItem", TABLE): 1}
    assert [each.what for each in watched.mutants()] == [
        "Role.Own.0: without dynamodb:GetItem",
        f"Role.Own.0: {TABLE} narrowed to {TABLE}-another",
        f"Role.Own.0: {TABLE} widened to {TABLE.replace('stack-Table', '*')}",
        f"Role.Own.0: {TABLE} widened to {TABLE.replace('table/stack-Table', '*')}",
        f"Role.Own.0: {TABLE} widened to {TABLE.replace('us-east-1', '*')}",
        "Role.Own.0: " + TABLE + " widened to *",
    ]
    assert watched.survivors() == []


@pytest.mark.parametrize(
    "granted",
    [
        statement("dynamodb:PutItem", TABLE),
        statement("dynamodb:GetItem", f"{TABLE}-another"),
        statement(
            "dynamodb:GetItem", TABLE, Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
        ),
    ],
)
def test_used_and_not_granted(granted: dict[str, Any]) -> None:
    found = failures(judged(stack_of(granted), GET))
    assert (
        f"not granted: Role: dynamodb:GetItem on {TABLE} (dynamodb:GetItem): no statement allows it" in found
    )


def test_a_deny_wins() -> None:
    denied = statement("dynamodb:*", "*") | {"Effect": "Deny"}
    assert "Role.Own.1 denies it" in failures(judged(stack_of(READ, denied), GET))[1]


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        (statement(["dynamodb:GetItem", "dynamodb:PutItem"], TABLE), f"dynamodb:PutItem on {TABLE}"),
        (statement("dynamodb:GetItem", [TABLE, f"{TABLE}/index/i"]), None),
        (statement("dynamodb:GetItem", [TABLE, f"{TABLE}2"]), f"dynamodb:GetItem on {TABLE}2"),
    ],
)
def test_granted_and_never_used(granted: dict[str, Any], said: str | None) -> None:
    found = failures(judged(stack_of(granted), GET))
    assert found == ([f"never used: Role.Own.0: {said}"] if said else [])


def test_a_resource_that_no_action_beside_it_takes_survives_as_a_mutant() -> None:
    watched = judged(stack_of(statement("dynamodb:GetItem", [TABLE, f"{TABLE}/index/i"])), GET)
    assert failures(watched) == []
    assert {each.what.split(" ", 2)[1] for each in watched.survivors()} == {f"{TABLE}/index/i"}


def test_what_is_granted_twice_survives_as_a_mutant() -> None:
    watched = judged(stack_of(READ, READ), GET)
    assert failures(watched) == []
    assert {each.what for each in watched.survivors()} >= {
        f"Role.Own.{index}: without dynamodb:GetItem" for index in (0, 1)
    }


def test_a_reason_excuses_what_is_never_used_and_its_mutants() -> None:
    reason = {"AllowedUnused": [{"Actions": ["dynamodb:PutItem"], "Because": "Only a failure leads there."}]}
    watched = judged(stack_of(READ, statement("dynamodb:PutItem", TABLE), metadata=reason), GET)
    assert failures(watched) == []
    assert watched.survivors() == []


def test_a_reason_for_what_is_used_is_a_failure() -> None:
    reason = {"AllowedUnused": [{"Actions": ["dynamodb:GetItem"], "Because": "Only a failure leads there."}]}
    found = failures(judged(stack_of(READ, metadata=reason), GET))
    assert found == ["reason without need: Role.Own.0: dynamodb:GetItem was used"]


def test_an_empty_reason_is_none() -> None:
    reason = {"AllowedUnused": [{"Actions": ["dynamodb:PutItem"], "Because": ""}]}
    watched = judged(stack_of(READ, statement("dynamodb:PutItem", TABLE), metadata=reason), GET)
    assert failures(watched) == [f"never used: Role.Own.1: dynamodb:PutItem on {TABLE}"]


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        (statement("dynamodb:GetItem", "*"), f"*: {TABLE} was named"),
        (
            statement("dynamodb:GetItem", TABLE.replace("stack-Table", "*")),
            "it has matched 'stack-Table' alone",
        ),
        (statement("dynamodb:GetItem", TABLE.replace("us-east-1", "*")), "it has matched 'us-east-1' alone"),
        (statement("dynamodb:GetItem", TABLE.replace("Table", "Tabl?")), "it has matched 'e' alone"),
        (statement("dynamodb:Get*", TABLE), "dynamodb:Get*: name the actions"),
    ],
)
def test_wider_than_used(granted: dict[str, Any], said: str) -> None:
    (found,) = failures(judged(stack_of(granted), GET))
    assert found.startswith("wider than used: Role.Own.0: ")
    assert said in found


def test_a_wildcard_is_needed_by_two_that_differ() -> None:
    stack = stack_of(statement("ec2:StopInstances", f"{INSTANCES}*"))
    assert failures(judged(stack, stop("i-1"), stop("i-2"))) == []
    assert failures(judged(stack, stop("i-1"), stop("i-1"))) == [
        f"wider than used: Role.Own.0: {INSTANCES}*: it has matched 'i-1' alone"
    ]
    assert judged(stack, stop("i-1"), stop("i-2")).survivors() == []


def test_a_reason_excuses_one_pattern_and_no_wider_one() -> None:
    pattern = f"{INSTANCES}*"
    reason = {"AllowedWider": [{"On": [pattern], "Because": "There is one instance at any time."}]}
    stack = stack_of(statement("ec2:StopInstances", pattern), metadata=reason)
    assert failures(judged(stack, stop("i-1"))) == []
    assert judged(stack, stop("i-1")).survivors() == []
    assert failures(judged(stack, stop("i-1"), stop("i-2"))) == [
        f"reason without need: Role.Own.0: {pattern} is no wider than used"
    ]


def test_everywhere_is_right_for_an_action_that_names_nothing_and_wrong_beside_one_that_does() -> None:
    describe = called("ec2:DescribeInstances")
    assert failures(judged(stack_of(statement("ec2:DescribeInstances", "*")), describe)) == []
    both = stack_of(statement(["ec2:DescribeInstances", "dynamodb:GetItem"], "*"))
    assert [each.split(":")[0] for each in failures(judged(both, describe, GET))] == ["wider than used"]
    reason = {"AllowedEverywhere": [{"Actions": ["dynamodb:GetItem"], "Because": "The tables are not ours."}]}
    explained = stack_of(statement(["ec2:DescribeInstances", "dynamodb:GetItem"], "*"), metadata=reason)
    assert failures(judged(explained, describe, GET)) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            called("dynamodb:CreateTable", TableName="t"),
            "dynamodb:CreateTable has no row in privilege/table.py",
        ),
        (called("dynamodb:GetItem"), "dynamodb:GetItem without TableName"),
        (called("dynamodb:GetItem", "somebody", TableName="t"), "signed by none of the stack's roles"),
        (called("dynamodb:GetItem", "", TableName="t"), "signed by none of the stack's roles"),
    ],
)
def test_a_call_that_cannot_be_judged(call: Any, said: str) -> None:
    watched = judged(stack_of(READ), GET, call)
    (found,) = failures(watched)
    assert found.startswith("not judged: ")
    assert said in found


def test_the_operator_and_event_sources_need_no_role() -> None:
    others = (called("dynamodb:CreateTable", each, TableName="t") for each in ("operator", "event-sources"))
    assert failures(judged(stack_of(READ), GET, *others)) == []


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
        {"StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-1"}},
        {"StringEquals": {"dynamodb:Attributes": "a"}},
        {"DateLessThan": {"aws:RequestedRegion": "2026-01-01T00:00:00Z"}},
    ],
)
def test_a_condition_that_cannot_be_judged_fails_even_beside_a_grant(condition: dict[str, Any]) -> None:
    conditional = statement("dynamodb:GetItem", TABLE, Condition=condition)
    found = failures(judged(stack_of(READ, conditional), GET))
    assert any(each.startswith("not judged: Role: ") for each in found)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "a"}}, True),
        ({"StringEquals": {"aws:ResourceTag/Team": "a"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "b"}}, False),
        ({"StringEquals": {"aws:ResourceTag/other": "a"}}, False),
        ({"Null": {"aws:ResourceTag/other": "true"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "a"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/{ROLE}"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        # The action has no such key in its requests.
        ({"StringEquals": {"s3:prefix": "a"}}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, True),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["one"]}}, True),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["two"]}}, False),
    ],
)
def test_conditions_on_what_is_known(condition: dict[str, Any], holds: bool) -> None:
    schema = {"Table": {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}}
    tags = {"Tags": [{"Key": "team", "Value": "a"}]}
    call = called("dynamodb:GetItem", TableName="stack-Table", Key={"id": {"S": "one"}})
    conditional = stack_of(statement("dynamodb:GetItem", TABLE, Condition=condition))
    watched = judged(conditional, call, describe_table=schema, list_tags_of_resource=tags)
    assert (failures(watched) == []) is holds


@pytest.mark.parametrize("element", ["NotAction", "NotResource"])
def test_what_is_allowed_by_exception_is_refused_by_name(element: str) -> None:
    with pytest.raises(BlueprintError, match=f"Role.Own.0: {element} cannot be judged"):
        roles(stack_of({**READ, element: "*"}))


def test_a_policy_that_is_not_in_the_template_is_refused_by_name() -> None:
    stack = stack_of(READ)
    managed = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    stack.template["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] = [managed]
    with pytest.raises(BlueprintError, match="AmazonS3FullAccess: what it allows is not in the template"):
        roles(stack)


@pytest.mark.parametrize("attach", ["Roles", "ManagedPolicyArns", None])
def test_a_managed_policy_counts_with_the_role_that_has_it_or_as_a_role(attach: str | None) -> None:
    stack = stack_of(statement("dynamodb:PutItem", TABLE))
    made = stack.template["Resources"]
    document = {"Statement": [READ]}
    made["Shared"] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    arn = "arn:aws:iam::123456789012:policy/Shared"
    stack.physical["Shared"] = Physical(arn)
    if attach == "Roles":
        made["Shared"]["Properties"]["Roles"] = [{"Ref": "Role"}]
    elif attach:
        made["Role"]["Properties"][attach] = [{"Ref": "Shared"}]
    assert roles(stack).keys() == ({"Role"} if attach else {"Role", "Shared"})
    put = called("dynamodb:PutItem", TableName="stack-Table")
    by_instance = called("dynamodb:GetItem", ROLE if attach else arn, TableName="stack-Table")
    assert failures(judged(stack, put, by_instance)) == []
    assert failures(judged(stack, put)) == [f"never used: Shared.0: dynamodb:GetItem on {TABLE}"]


def test_the_table_shows_grants_with_uses_and_failures() -> None:
    shown = judged(stack_of(READ, statement("dynamodb:PutItem", TABLE)), GET, GET).verdict().table()
    assert shown.splitlines() == [
        f"2  Role.Own.0  dynamodb:GetItem  {TABLE}",
        f"0  Role.Own.1  dynamodb:PutItem  {TABLE}",
        f"! never used: Role.Own.1: dynamodb:PutItem on {TABLE}",
    ]


def test_a_name_that_cloudformation_ends_by_itself_needs_no_second_use_and_nothing_beside_it() -> None:
    """The name of what is made after its policy; `stack-Table-…` is how the stack's Table may be called."""
    queue = "arn:aws:sqs:us-east-1:123456789012:stack-Table"
    send = called("sqs:SendMessage", QueueUrl="http://sqs/123456789012/stack-Table-ABC")
    watched = judged(stack_of(statement("sqs:SendMessage", f"{queue}-*")), send)
    assert failures(watched) == []
    assert watched.survivors() == []
    for wider, alone in ((f"{queue}*", "-ABC"), (f"{queue.replace('us-east-1', '*')}-*", "us-east-1")):
        assert failures(judged(stack_of(statement("sqs:SendMessage", wider)), send)) == [
            f"wider than used: Role.Own.0: {wider}: it has matched {alone!r} alone"
        ]


def test_a_policy_for_somebody_elses_role_is_judged_as_a_role() -> None:
    stack = stack_of(READ)
    policy = {
        "PolicyName": "Lent",
        "Roles": ["theirs"],
        "PolicyDocument": {"Statement": [statement("dynamodb:PutItem", TABLE)]},
    }
    stack.resolver.template["Resources"]["Lent"] = {"Type": "AWS::IAM::Policy", "Properties": policy}
    stack.physical["Lent"] = Physical("stack-Lent", {})
    assert failures(judged(stack, GET)) == [f"never used: Lent.0: dynamodb:PutItem on {TABLE}"]
    assert (
        failures(judged(stack, GET, called("dynamodb:PutItem", "stack-Lent", TableName="stack-Table"))) == []
    )


def test_a_pattern_is_not_needed_for_what_is_named_beside_it() -> None:
    queues = [f"arn:aws:sqs:us-east-1:123456789012:{each}" for each in ("one", "two")]
    calls = [called("sqs:SendMessage", QueueUrl=each.replace(":", "/")) for each in queues]
    named = statement("sqs:SendMessage", queues)
    assert failures(judged(stack_of(named), *calls)) == []
    wide = statement("sqs:SendMessage", [*queues, "arn:aws:sqs:us-east-1:123456789012:*"])
    (said,) = failures(judged(stack_of(wide), *calls))
    assert "more narrowly beside it" in said


RECORDS = "route53:ChangeResourceRecordSets"


@pytest.mark.parametrize(
    ("names", "kinds", "actions", "allowed"),
    [
        (["_calc._tcp.a.internal."], ["SRV"], ["UPSERT"], True),
        (["_CALC._tcp.A.internal", "b.a.internal"], ["SRV", "A"], ["UPSERT", "DELETE"], True),
        (["_calc._tcp.a.internal", "elsewhere.internal"], ["SRV", "SRV"], ["UPSERT", "UPSERT"], False),
        (["a.internal"], ["A"], ["UPSERT"], False),
        (["_calc._tcp.a.internal"], ["CNAME"], ["UPSERT"], False),
        (["_calc._tcp.a.internal"], ["SRV"], ["CREATE"], False),
    ],
)
def test_conditions_on_record_sets_are_judged(
    names: list[str], kinds: list[str], actions: list[str], allowed: bool
) -> None:
    condition = {
        "ForAllValues:StringLike": {f"{RECORDS}NormalizedRecordNames": ["*.a.internal"]},
        "ForAllValues:StringEquals": {
            f"{RECORDS}RecordTypes": ["A", "SRV"],
            f"{RECORDS}Actions": ["UPSERT", "DELETE"],
        },
    }
    granted = statement(RECORDS, "arn:aws:route53:::hostedzone/Z1", Condition=condition)
    sets = [{"Name": name, "Type": kind} for name, kind in zip(names, kinds, strict=True)]
    changes = [
        {"Action": action, "ResourceRecordSet": each} for action, each in zip(actions, sets, strict=True)
    ]
    call = called(RECORDS, HostedZoneId="Z1", ChangeBatch={"Changes": changes})
    said = failures(judged(stack_of(granted), call))
    assert (not said) == allowed
    assert not any("not judged" in each for each in said)


def test_a_pattern_is_not_needed_for_what_a_narrower_one_beside_it_says() -> None:
    """Two kinds of resource in a statement: each may not be widened to the other's."""
    both = [f"{INSTANCES}*", INSTANCES.rpartition(":")[0] + ":*"]
    found = failures(judged(stack_of(statement("ec2:StopInstances", both)), stop("i-1"), stop("i-2")))
    assert found == [
        f"wider than used: Role.Own.0: {both[1]}: all that it has matched is said more narrowly beside it"
    ]
