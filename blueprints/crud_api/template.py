"""CRUD API: three functions behind one HTTP API keep documents in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from awacs import dynamodb as grants
from awacs.aws import Action
from pydantic import Field, model_validator
from troposphere import GetAtt, Ref, Sub, apigatewayv2, awslambda, dynamodb, iam, logs
from troposphere import constants as aws
from troposphere import serverless as sam

from ..blocks import functions, roles
from ..blocks.properties import given
from ..core import Blueprint, Config, ConfigError, Parameter

_PATH = "/resource/{resourceId}"
_CODE = Path(__file__).parent / "functions" / "resource.py"

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


class CrudConfig(Config):
    """Choices fixed when the template is rendered."""

    auth: Literal["none", "iam", "jwt"]
    """Who may call: anybody (none), AWS principals (iam), or bearers of a token that JwtIssuer signed (jwt)."""

    auth_reason: Annotated[str, Field(min_length=20)] | None = Field(
        default=None, examples=["Public data, the same for everybody."]
    )
    """Why nobody needs to say who they are; with `auth: none` alone, and required there."""

    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Steady rate at which the API takes requests; more than that gets status 429."""

    burst: Annotated[int, Field(ge=1, le=5_000)] = 40
    """Requests that may arrive at once above the steady rate."""

    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365] = 30
    """Days that logs are kept, the API's and the functions'."""

    @model_validator(mode="after")
    def _open_for_a_reason(self) -> CrudConfig:
        if self.auth == "none" and self.auth_reason is None:
            what = "missing; say in 20 characters or more why anybody may call, or choose another auth"
            raise ConfigError("auth_reason", what)
        if self.auth != "none" and self.auth_reason is not None:
            raise ConfigError("auth_reason", f"it explains auth: none, got auth: {self.auth}; remove it")
        return self


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

    def build(self) -> None:
        table = self.add(self.table())
        api = self.add(self.api(self.add(self.log_group("HttpApi"))))
        for name, action in (
            ("Get", grants.GetItem),
            ("Put", grants.UpdateItem),
            ("Delete", grants.DeleteItem),
        ):
            log_group = self.add(self.log_group(f"{name}Function"))
            role = self.add(self.role(name, table, log_group, action))
            self.add(self.function(name, api, table, role, log_group))
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
        )

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
            **given(Auth=self.authorizer(), Metadata=reason),
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

    def role(self, name: str, table: dynamodb.Table, log_group: logs.LogGroup, action: Action) -> iam.Role:
        """What one function may do: its operation on this table, and its own logs."""
        granted = [roles.allow(action, on=GetAtt(table, "Arn")), roles.write_logs(GetAtt(log_group, "Arn"))]
        if self.encryption_key is not None:
            granted.append(roles.decrypt(self.encryption_key, via="dynamodb"))
        return roles.role(f"{name}FunctionRole", "lambda", granted)

    def function(
        self, name: str, api: sam.HttpApi, table: dynamodb.Table, role: iam.Role, log_group: logs.LogGroup
    ) -> sam.Function:
        """One operation. All three carry the same module and differ in the handler."""
        route = {"ApiId": Ref(api), "Path": _PATH, "Method": name.upper(), "PayloadFormatVersion": "2.0"}
        return sam.Function(
            f"{name}Function",
            Handler=f"index.{name.lower()}",
            Runtime=functions.RUNTIME,
            Architectures=[functions.ARCHITECTURE],
            InlineCode=functions.inline_code(_CODE),
            MemorySize=256,
            Timeout=10,
            Role=GetAtt(role, "Arn"),
            Environment=awslambda.Environment(Variables={"TABLE_NAME": Ref(table)}),
            LoggingConfig=functions.json_logs(log_group),
            Events={"Api": {"Type": "HttpApi", "Properties": route}},
        )

    def url(self, api: sam.HttpApi) -> Sub:
        """Where the API answers."""
        return Sub(
            "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}/resource",
            Api=Ref(api),
            Stage=self.stage_name,
        )
