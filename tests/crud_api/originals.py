"""What was wrong with the post's CRUD API, and its logic and its template restated as briefly as they show it."""

from __future__ import annotations

from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError

from .conftest import TABLE

# The rows of the parity page's table, in its order.
DEFECTS = {
    "C5.1": "a runtime that is gone: nodejs4.3, with the dynamodb-doc library",
    "C5.2": "a missing document is 200 with an empty body",
    "C5.3": "an error's body is an object, which API Gateway turns into 502",
    "C5.4": "full access to all tables of the account",
    "C5.5": "no auth, CORS, validation, size limit, list, conditional write, ETag, logs, alarms",
    "C5.6": "a body in base64 is stored as it came",
    "C5.7": "no outputs, no stages",
    "C5.8": "the variable is TABLENAME in one place and TABLE_NAME in another",
    "C5.9": "a table with one key and nothing else: no PITR, encryption, expiry, retention",
}


class Original:
    """The post's handlers, and API Gateway's answer where it has none."""

    table = TABLE

    def call(self, method: str, key: str = "one", body: str | None = None, **_: Any) -> dict[str, Any]:
        aws: Any = boto3
        table = aws.resource("dynamodb").Table(self.table)
        try:
            if method == "GET":
                item = table.get_item(Key={"id": key}).get("Item")
                return {"statusCode": 200, "body": item["doc"] if item else ""}
            if method == "PUT":
                table.put_item(Item={"id": key, "doc": body})
            else:
                table.delete_item(Key={"id": key})
            return {"statusCode": 200, "body": ""}
        except ClientError as error:
            return {"statusCode": 500, "body": vars(error)}

    def ask(self, *_: Any) -> dict[str, Any]:
        return {"statusCode": 403, "body": '{"message": "Missing Authentication Token"}'}


TEMPLATE: dict[str, Any] = yaml.safe_load("""
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  GetFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.get
      Runtime: nodejs4.3
      Policies: AmazonDynamoDBReadOnlyAccess
      InlineCode: const table = process.env.TABLENAME
      Environment: {Variables: {TABLE_NAME: {Ref: Table}}}
      Events: {Get: {Type: Api, Properties: {Path: '/resource/{resourceId}', Method: get}}}
  PutFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.put
      Runtime: nodejs4.3
      Policies: AmazonDynamoDBFullAccess
      InlineCode: const table = process.env.TABLENAME
      Environment: {Variables: {TABLE_NAME: {Ref: Table}}}
      Events: {Put: {Type: Api, Properties: {Path: '/resource/{resourceId}', Method: put}}}
  Table: {Type: AWS::Serverless::SimpleTable}
""")
