"""Policy checks: bad fixtures are caught place by place, good ones and our templates are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from blueprints.checks import arns, iam, policies
from blueprints.checks.cache import Cache
from blueprints.checks.check import checks, run
from blueprints.checks.finding import Source
from blueprints.checks.inspection import inspect

HERE = Path(__file__).parent / "policies"
ROOT = Path(__file__).parent.parent.parent
BAD = sorted(HERE.glob("CB*/bad*.yaml"))
GOOD = sorted(HERE.glob("CB*/good*.yaml"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.yaml"))

NewCache = Callable[[], Cache]


def source(path: Path) -> Source:
    return Source(path.name, path.read_text())


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def test_every_check_has_good_and_bad_fixtures_and_an_id_of_its_own() -> None:
    ids = [each.id for each in policies.CHECKS]
    assert {path.parent.name for path in BAD} == {path.parent.name for path in GOOD} == set(ids)
    assert not set(ids) & {each.id for each in checks()}


@pytest.mark.parametrize("path", BAD, ids=label)
def test_bad_fixtures_are_caught(path: Path) -> None:
    """`# finds: place | word` means a finding at that place whose message has the word, and no other findings."""
    expected = sorted(re.findall(r"^# finds: (.+) \| (.+)$", path.read_text(), re.M))
    found = sorted(
        (each.where, each.message) for each in policies.judge(source(path)) if each.rule == path.parent.name
    )
    assert [where for where, _ in found] == [where for where, _ in expected]
    assert [
        word for (_, word), (_, message) in zip(expected, found, strict=True) if word not in message
    ] == []


@pytest.mark.parametrize("path", BAD, ids=label)
def test_findings_name_a_line_and_a_remedy(path: Path) -> None:
    for finding in policies.judge(source(path)):
        assert finding.line > 5
        assert "; " in finding.message


@pytest.mark.parametrize("path", GOOD, ids=label)
def test_good_fixtures_are_not(path: Path) -> None:
    assert [each for each in policies.judge(source(path)) if each.rule == path.parent.name] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=label)
def test_our_templates_are_clean_and_have_policies(path: Path) -> None:
    assert policies.judge(source(path)) == []
    misspelt = Source(path.name, re.sub(r"(?m)^(\s+- \w+:)(Create|Get)(\w+)$", r"\1Make\3", path.read_text()))
    assert {each.rule for each in policies.judge(misspelt)} == {"CB201"}


def test_what_a_sam_author_writes_is_judged_and_what_sams_own_templates_grant_is_not(
    new_cache: NewCache,
) -> None:
    text = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::Serverless::SimpleTable}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      InlineCode: "def handler(event, context): pass"
      Policies:
        - SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}
        - Statement:
            - {Effect: Allow, Action: "dynamodb:GetItems", Resource: !GetAtt Table.Arn}
            - {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Table.Arn}
"""
    found = inspect([Source("sam.yaml", text)], new_cache())
    place = "Resources.Function.Properties.Policies.1.Statement"
    assert [(each.rule, each.where) for each in found if each.engine == "blueprints"] == [
        ("CB201", f"{place}.0"),
        ("CB204", f"{place}.1"),
    ]


def test_that_any_role_may_be_passed_is_told_by_another_check_and_here_by_its_shape() -> None:
    text = (HERE / "CB202/good.yaml").read_text().replace("ec2:DescribeVpcs", "iam:PassRole")
    assert "CB048" in {each.rule for each in run(Source("x", text))}


@pytest.mark.parametrize(
    ("arn", "shape", "expected"),
    [
        ("arn:aws:s3:::a/*", "arn:${Partition}:s3:::${BucketName}", False),
        ("arn:aws:s3:::*", "arn:${Partition}:s3:::${BucketName}/${ObjectName}", True),
        ("arn:aws:s3:::a?b", "arn:${Partition}:s3:::${BucketName}", True),
        (
            "arn:*:dynamodb:*:*:table/*/index/*",
            "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}",
            False,
        ),
        (
            "arn:*:logs:*:*:log-group:*",
            "arn:${Partition}:logs:${Region}:${Account}:log-group:${G}:log-stream:${S}",
            True,
        ),
        ("arn:aws:sns:eu-west-1:1:a", "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}", False),
        ("arn:*", "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}", True),
        ("anything", "*", True),
        ("*", "", True),
        ("", "${BucketName}", False),
        ("", "${ObjectName}", True),
        ("a", "", False),
    ],
)
def test_patterns_overlap_where_one_arn_fits_both(arn: str, shape: str, expected: bool) -> None:
    assert arns.overlap(arn, shape) is expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("AWS::DynamoDB::Table", "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}"),
        ("AWS::Logs::LogGroup", "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}"),
        (
            "AWS::EFS::FileSystem",
            "arn:${Partition}:elasticfilesystem:${Region}:${Account}:file-system/${FileSystemId}",
        ),
        ("AWS::Events::Rule", "arn:${Partition}:events:*:*:*"),
        (
            "AWS::Serverless::Function",
            "arn:${Partition}:lambda:${Region}:${Account}:function:${FunctionName}",
        ),
        ("AWS::Nowhere::Thing", None),
        ("Custom::Thing", None),
    ],
)
def test_types_have_arns_as_wide_as_what_is_not_known(type_: str, expected: str | None) -> None:
    assert iam.arn_of(type_) == expected


def test_actions_are_found_by_name_and_by_pattern() -> None:
    assert [each.name for each in iam.matching("DYNAMODB:getitem")] == ["dynamodb:GetItem"]
    assert {each.name for each in iam.matching("sqs:?endMessage")} == {"sqs:SendMessage"}
    assert len(iam.matching("ec2:Describe*")) > 100
    assert iam.matching("dynamodb") == iam.matching("nowhere:Get") == iam.matching("s3:[Gg]etObject") == ()
