"""Templates and caches that the tests of the checkers share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blueprints.checks.cache import Cache
from blueprints.checks.finding import Source

CLEAN = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: A network.
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/16
"""

SAM = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Description: An application.
Parameters:
  Live:
    Type: String
    Default: live
Resources:
  Function:
    Type: AWS::Serverless::Function
    Metadata: {cfn-lint: {config: {ignore_checks: [W9999]}}}
    Properties:
      Handler: index.handler
      Runtime: python3.13
      InlineCode: "def handler(event, context): pass"
      AutoPublishAlias: !Ref Live
      FunctionUrlConfig:
        AuthType: AWS_IAM
      Policies:
        - DynamoDBCrudPolicy:
            TableName: !Ref Table
      Events:
        Get:
          Type: Api
          Properties:
            Path: /items
            Method: get
  Table:
    Type: AWS::Serverless::SimpleTable
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
Outputs:
  Url:
    Description: Where it answers.
    Value: !GetAtt FunctionUrl.FunctionUrl
  Alias:
    Description: What it publishes.
    Value: !Sub "${Function.Alias}"
"""


def with_unknown_property(text: str) -> str:
    """The same template with a misspelt property in the last line of its first resource."""
    return text.replace("CidrBlock: 10.0.0.0/16", "CidrBlock: 10.0.0.0/16\n      Cidr: 1")


@pytest.fixture
def clean() -> Source:
    return Source("clean.yaml", CLEAN)


@pytest.fixture
def faulty() -> Source:
    return Source("faulty.yaml", with_unknown_property(CLEAN))


@pytest.fixture
def sam() -> Source:
    return Source("sam.yaml", SAM)


@pytest.fixture
def sam_misspelt() -> Source:
    return Source("misspelt.yaml", SAM.replace("Handler:", "Memroy: 128\n      Handler:"))


@pytest.fixture
def sam_bad_policy() -> Source:
    return Source("policy.yaml", SAM.replace("DynamoDBCrudPolicy", "DynamoDBCrudPolcy"))


@pytest.fixture
def warnings() -> list[str]:
    """What a cache made by `new_cache` has complained about."""
    return []


@pytest.fixture
def new_cache(tmp_path: Path, warnings: list[str]) -> Callable[[], Cache]:
    """Make caches over one folder, each as a later run would find it."""
    return lambda: Cache(tmp_path / "cache", "kind", warnings.append)
