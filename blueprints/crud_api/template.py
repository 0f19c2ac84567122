"""CRUD API: functions behind one HTTP API keep documents in one table."""

from __future__ import annotations

import json
from typing import Any

from awacs import xray
from awacs.aws import PolicyDocument
from troposphere import (
    GetAtt,
    Ref,
    Sub,
    apigatewayv2,
    awslambda,
    dynamodb,
    iam,
    logs,
)
from troposphere import constants as aws
from troposphere import serverless as sam

from ..blocks import functions, roles
from ..blocks.properties import given
from ..core import Blueprint, Parameter
from .alarms import alarms
from .config import CrudConfig
from .openapi import packed
from .operations import FUNCTIONS, OPERATIONS, Answering, Operation, code

# API Gateway Developer Guide, "Customize HTTP API access logs". What never reaches a function, because it was refused
# or throttled, is told here and nowhere else.
_ACCESS = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "routeKey": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "error": "$context.error.message",
    "authorizerError": "$context.authorizer.error",
    "integrationError": "$context.integrationErrorMessage",
}


class _Auth(sam.HttpApiAuth):
    """SAM's property as its specification has it; troposphere knows an older one."""

    props = {  # noqa: RUF012 - troposphere's own form
        "Authorizers": (dict, False),
        "DefaultAuthorizer": (str, False),
        "EnableIamAuthorizer": (bool, False),
    }


class CrudApi(Blueprint[CrudConfig]):
    """Store, read and delete documents over HTTP, without a server."""

    stage_name = Parameter(
        aws.STRING,
        "First part of the path of every URL.",
        default="Prod",
        pattern=r"[A-Za-z0-9_]{1,128}",
        constraint="letters, digits and underscores",
        group="API",
        label="Stage",
    )
    jwt_issuer = Parameter(
        aws.STRING,
        "Issuer of the tokens; it publishes its keys below /.well-known.",
        pattern=r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?",
        constraint="an https URL as in the token's iss claim",
        group="API",
        label="Token issuer",
    )
    jwt_audience = Parameter(
        "CommaDelimitedList",
        "Audiences whose tokens are accepted, as in the token's aud claim.",
        pattern=r"[\x21-\x2b\x2d-\x7e]+",
        constraint="names separated by commas",
        group="API",
        label="Token audiences",
    )

    alarm_topic_arn = Parameter(
        aws.STRING,
        "Topic that is told when an alarm goes off.",
        pattern=r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}",
        constraint="the ARN of an SNS topic that is no FIFO topic",
        group="Alarms",
        label="Topic",
    )

    def build(self) -> None:
        table = self.add(self.table())
        api = self.add(self.api(self.add(self.log_group("HttpApi"))))
        answering: list[sam.Function] = []
        allowed: list[iam.Role] = []
        for each in FUNCTIONS:
            log_group = self.add(self.log_group(f"{each.name}Function"))
            allowed.append(self.add(self.role(each, table, log_group)))
            answering.append(self.add(self.function(each, api, table, allowed[-1], log_group)))
        self.add(self.tracing(allowed))
        topics = [self.alarm_topic_arn] if self.config.alarm_topic else None
        self.add(alarms(api, self.stage_name, answering, table, topics))
        self.output("ApiUrl", self.url(api), "Address below which documents are kept: add a slash and an id.")
        self.output("TableName", Ref(table), "Name of the table that keeps the documents.")

    def table(self) -> dynamodb.Table:
        """The documents. They outlive the stack."""
        return dynamodb.Table(
            "Table",
            DeletionPolicy="RetainExceptOnCreate",
            UpdateReplacePolicy="Retain",
            AttributeDefinitions=[dynamodb.AttributeDefinition(AttributeName="id", AttributeType="S")],
            KeySchema=[dynamodb.KeySchema(AttributeName="id", KeyType="HASH")],
            BillingMode="PAY_PER_REQUEST",
            PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(
                PointInTimeRecoveryEnabled=True
            ),
            SSESpecification=self.encryption(),
            **given(TimeToLiveSpecification=self.expiry()),
        )

    def expiry(self) -> dynamodb.TimeToLiveSpecification | None:
        """The attribute that says when an item may be deleted, if documents end at all."""
        if self.config.time_to_live_days is None:
            return None
        return dynamodb.TimeToLiveSpecification(AttributeName="expires", Enabled=True)

    def encryption(self) -> dynamodb.SSESpecification:
        """A KMS key: the environment's, else the one AWS manages in this account."""
        return dynamodb.SSESpecification(
            SSEEnabled=True, SSEType="KMS", **given(KMSMasterKeyId=self.encryption_key)
        )

    def api(self, log_group: logs.LogGroup) -> sam.HttpApi:
        """The API, throttled as a whole; each request leaves one line of JSON in its log."""
        throttle = sam.RouteSettings(
            ThrottlingBurstLimit=self.config.burst, ThrottlingRateLimit=self.config.requests_per_second
        )
        reason = {"OpenToAnybody": self.config.auth_reason} if self.config.auth_reason else None
        return sam.HttpApi(
            "HttpApi",
            StageName=self.stage_name,
            AccessLogSettings=apigatewayv2.AccessLogSettings(
                DestinationArn=GetAtt(log_group, "Arn"), Format=json.dumps(_ACCESS)
            ),
            DefaultRouteSettings=throttle,
            **given(Auth=self.authorizer(), CorsConfiguration=self.cors(), Metadata=reason),
        )

    def cors(self) -> sam.HttpApiCorsConfiguration | None:
        """What browsers let the scripts of some sites do; API Gateway answers them by itself."""
        if not self.config.cors_origins:
            return None
        return sam.HttpApiCorsConfiguration(
            AllowOrigins=list(self.config.cors_origins),
            AllowMethods=sorted({each.method for each in OPERATIONS}),
            AllowHeaders=["authorization", "content-type", "if-match", "if-none-match"],
            ExposeHeaders=["apigw-requestid", "etag", "retry-after"],
            MaxAge=600,
        )

    def authorizer(self) -> sam.HttpApiAuth | None:
        """Who may call, as the API's property; an open API has none."""
        if self.config.auth == "none":
            return None
        if self.config.auth == "iam":
            return _Auth(EnableIamAuthorizer=True, DefaultAuthorizer="AWS_IAM")
        tokens = {
            "IdentitySource": "$request.header.Authorization",
            "JwtConfiguration": {"issuer": self.jwt_issuer, "audience": self.jwt_audience},
        }
        return _Auth(Authorizers={"Jwt": tokens}, DefaultAuthorizer="Jwt")

    def log_group(self, name: str) -> logs.LogGroup:
        """Where the API or one function writes."""
        return functions.log_group(f"{name}LogGroup", self.config.log_retention_days, self.encryption_key)

    def role(self, answering: Answering, table: dynamodb.Table, log_group: logs.LogGroup) -> iam.Role:
        """What one function may do: its action on this table, and its own logs."""
        granted = [
            roles.allow(answering.action, on=GetAtt(table, "Arn")),
            roles.write_logs(GetAtt(log_group, "Arn")),
        ]
        if self.encryption_key is not None:
            granted.append(roles.decrypt(self.encryption_key, via="dynamodb"))
        return roles.role(f"{answering.name}FunctionRole", "lambda", granted)

    def tracing(self, allowed: list[iam.Role]) -> iam.PolicyType | None:
        """What every function needs to send what X-Ray records of it; once, for it is the same for all of them."""
        if not self.config.tracing:
            return None
        sending = [xray.PutTraceSegments, xray.PutTelemetryRecords]
        because = "X-Ray has no resources to name."
        granted = roles.allow_everywhere(*sending, because=because)
        actions = [each.JSONrepr() for each in sending]
        return iam.PolicyType(
            "TracingPolicy",
            Metadata={"AllowedEverywhere": [{"Actions": actions, "Because": because}]},
            PolicyName="Tracing",
            PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[granted.statement()]),
            Roles=[Ref(each) for each in allowed],
        )

    def function(
        self,
        answering: Answering,
        api: sam.HttpApi,
        table: dynamodb.Table,
        role: iam.Role,
        log_group: logs.LogGroup,
    ) -> sam.Function:
        """One function, with its code and its routes."""
        return sam.Function(
            f"{answering.name}Function",
            Handler=f"index.{answering.handler}",
            Runtime=functions.RUNTIME,
            Architectures=[functions.ARCHITECTURE],
            InlineCode=code(answering.handler),
            MemorySize=256,
            Timeout=15,
            Role=GetAtt(role, "Arn"),
            Environment=self.variables(answering, table),
            LoggingConfig=functions.json_logs(log_group),
            Events={
                f"{'' if each is answering.operations[0] else each.name.title()}Api": self.route(each, api)
                for each in answering.operations
            },
            **given(Tracing="Active" if self.config.tracing else None),
        )

    def route(self, operation: Operation, api: sam.HttpApi) -> dict[str, Any]:
        """An operation as an event of the function that answers it."""
        route = {
            "ApiId": Ref(api),
            "Path": operation.path,
            "Method": operation.method,
            "PayloadFormatVersion": "2.0",
        }
        return {"Type": "HttpApi", "Properties": route}

    def variables(self, answering: Answering, table: dynamodb.Table) -> awslambda.Environment:
        """Of the settings, those that one function heeds."""
        variables: dict[str, Ref | str] = {"TABLE_NAME": Ref(table)}
        if answering.name in ("Put", "Delete"):
            variables["PRECONDITIONS"] = self.config.preconditions
        if answering.name == "Put" and self.config.time_to_live_days is not None:
            variables["TIME_TO_LIVE_DAYS"] = str(self.config.time_to_live_days)
        if answering.name == "List":
            variables["DESCRIPTION"] = packed(self.config)
        return awslambda.Environment(Variables=variables)

    def url(self, api: sam.HttpApi) -> Sub:
        """Where the API answers."""
        return Sub(
            "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}/resource",
            Api=Ref(api),
            Stage=self.stage_name,
        )
