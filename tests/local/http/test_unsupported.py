"""What a template asks for and the front does not do is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.http.harness import ARN, URI, only_api, resource


def http(**more: dict[str, Any]) -> dict[str, Any]:
    stage = resource("ApiGatewayV2::Stage", ApiId="api-1", StageName="$default")
    return {"Api": resource("ApiGatewayV2::Api", ProtocolType="HTTP", Name="x"), "Stage": stage, **more}


def operation(**more: Any) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "uri": URI, "payloadFormatVersion": "2.0"}
    return {"x-amazon-apigateway-integration": integration, **more}


@pytest.mark.parametrize(
    ("resources", "name"),
    [
        ({"Api": resource("ApiGatewayV2::Api", ProtocolType="WEBSOCKET")}, "WebSocket API"),
        ({"Api": resource("ApiGatewayV2::Api", ProtocolType="HTTP")}, "no stage names this API"),
        (
            http(Mapping=resource("ApiGatewayV2::ApiMapping", ApiId="api-1", DomainName="x")),
            "AWS::ApiGatewayV2::ApiMapping Mapping",
        ),
        (
            http(
                Route=resource(
                    "ApiGatewayV2::Route", ApiId="api-1", RouteKey="GET /x", Target="integrations/I"
                ),
                I=resource("ApiGatewayV2::Integration", ApiId="api-1", IntegrationType="HTTP_PROXY"),
            ),
            "GET /x: integration HTTP_PROXY",
        ),
        (
            http(
                Route=resource(
                    "ApiGatewayV2::Route", ApiId="api-1", RouteKey="GET /x", Target="integrations/I"
                ),
                I=resource(
                    "ApiGatewayV2::Integration",
                    ApiId="api-1",
                    IntegrationType="AWS_PROXY",
                    IntegrationSubtype="SQS-SendMessage",
                ),
            ),
            "GET /x: integration SQS-SendMessage",
        ),
        (
            http(
                Route=resource(
                    "ApiGatewayV2::Route", ApiId="api-1", RouteKey="GET /x", Target="integrations/I"
                ),
                I=resource(
                    "ApiGatewayV2::Integration",
                    ApiId="api-1",
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=ARN,
                    RequestParameters={"append:header.x": "y"},
                ),
            ),
            "GET /x: parameter mapping",
        ),
    ],
)
def test_what_http_apis_do_not_have_here_is_named(resources: dict[str, Any], name: str) -> None:
    assert only_api(resources, {"Api": "api-1"}).unsupported == (name,)


def rest(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    schemes = {
        "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        "pool": {"x-amazon-apigateway-authorizer": {"type": "cognito_user_pools"}},
    }
    body = {"swagger": "2.0", "paths": paths, "securityDefinitions": schemes, **more}
    stage = resource("ApiGateway::Stage", RestApiId="Api", StageName="v1")
    return {"Api": resource("ApiGateway::RestApi", Body=body), "Stage": stage}


def integration(**spec: Any) -> dict[str, Any]:
    return {"/x": {"get": {"x-amazon-apigateway-integration": spec}}}


@pytest.mark.parametrize(
    ("resources", "name"),
    [
        (rest(integration(type="http_proxy", uri="https://x.example")), "GET /x: integration HTTP_PROXY"),
        (rest(integration(type="aws", uri=URI)), "GET /x: integration AWS"),
        (rest(integration(type="aws_proxy", uri="arn:aws:apigateway:r:s3:path/b")), None),
        (
            rest(integration(type="mock", requestTemplates={"application/json": "#if(1){}#end"})),
            "GET /x: mapping templates (VTL)",
        ),
        (
            rest(
                integration(
                    type="mock",
                    requestTemplates={"application/json": '{"statusCode": 200}'},
                    responses={
                        "default": {"statusCode": "200", "responseTemplates": {"application/json": "$input"}}
                    },
                )
            ),
            "GET /x: mapping templates (VTL)",
        ),
        (rest({"/x": {"get": operation(security=[{"key": []}])}}), "GET /x: security scheme key (apiKey)"),
        (
            rest({"/x": {"get": operation(security=[{"pool": []}])}}),
            "GET /x: authorizer pool (cognito_user_pools)",
        ),
        (rest({"/x": {"get": {}}}), "GET /x: an operation without an integration"),
        (rest({}, **{"x-amazon-apigateway-policy": {"Statement": []}}), "resource policy"),
        (rest({}, **{"x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {}}}), "gateway responses"),
        (
            {
                **rest({}),
                "Plan": resource("ApiGateway::UsagePlan", ApiStages=[{"ApiId": "Api", "Stage": "v1"}]),
            },
            "AWS::ApiGateway::UsagePlan Plan",
        ),
        (
            {
                **rest({}),
                "Response": resource(
                    "ApiGateway::GatewayResponse", RestApiId="Api", ResponseType="THROTTLED"
                ),
            },
            "AWS::ApiGateway::GatewayResponse Response",
        ),
    ],
)
def test_what_rest_apis_do_not_have_here_is_named(resources: dict[str, Any], name: str | None) -> None:
    expected = name or "GET /x: integration with arn:aws:apigateway:r:s3:path/b"
    assert only_api(resources).unsupported == (expected,)
