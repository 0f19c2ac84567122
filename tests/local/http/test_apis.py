"""APIs as `apis()` reads them from resources and from OpenAPI documents."""

from __future__ import annotations

from typing import Any

from blueprints.local.http import Api
from blueprints.local.http.api import Cors, Function, Iam, Jwt, Mock, Route, Stage, Throttle
from tests.local.http.harness import ARN, URI, only_api, resource


def test_http_api_of_resources() -> None:
    found = only_api(
        {
            "Api": resource(
                "ApiGatewayV2::Api",
                ProtocolType="HTTP",
                CorsConfiguration={"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": "60"},
            ),
            "Integration": resource(
                "ApiGatewayV2::Integration",
                ApiId="api-1",
                IntegrationType="AWS_PROXY",
                IntegrationUri=ARN,
                PayloadFormatVersion="2.0",
                TimeoutInMillis=1500,
            ),
            "Old": resource(
                "ApiGatewayV2::Integration", ApiId="api-1", IntegrationType="AWS_PROXY", IntegrationUri=URI
            ),
            "Jwt": resource(
                "ApiGatewayV2::Authorizer",
                ApiId="api-1",
                AuthorizerType="JWT",
                Name="users",
                IdentitySource=["$request.header.Authorization"],
                JwtConfiguration={"Issuer": "https://issuer.example", "Audience": ["a", "b"]},
            ),
            "Get": resource(
                "ApiGatewayV2::Route",
                ApiId="api-1",
                RouteKey="GET /pets/{id}",
                Target="integrations/int-1",
                AuthorizationType="JWT",
                AuthorizerId="auth-1",
                AuthorizationScopes=["read"],
            ),
            "Put": resource(
                "ApiGatewayV2::Route",
                ApiId="api-1",
                RouteKey="PUT /pets/{id}",
                Target="integrations/Old",
                AuthorizationType="AWS_IAM",
            ),
            "Rest": resource(
                "ApiGatewayV2::Route", ApiId="api-1", RouteKey="$default", Target="integrations/int-1"
            ),
            "Foreign": resource(
                "ApiGatewayV2::Route", ApiId="another", RouteKey="GET /x", Target="integrations/int-1"
            ),
            "Stage": resource(
                "ApiGatewayV2::Stage",
                ApiId="api-1",
                StageName="live",
                StageVariables={"a": "b"},
                DefaultRouteSettings={"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": "20"},
                RouteSettings={"GET /pets/{id}": {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 2}},
                AccessLogSettings={"DestinationArn": "arn", "Format": "$context.requestId"},
            ),
        },
        {"Api": "api-1", "Integration": "int-1", "Jwt": "auth-1"},
    )
    assert found == Api(
        "Api",
        "api-1",
        "HTTP",
        (
            Route(
                "GET",
                "/pets/{id}",
                Function(ARN, "2.0", 1.5),
                Jwt("https://issuer.example", ("a", "b"), "$request.header.Authorization"),
                ("read",),
            ),
            Route("PUT", "/pets/{id}", Function(ARN, "1.0", 30), Iam()),
            Route("ANY", "$default", Function(ARN, "2.0", 1.5)),
        ),
        (
            Stage(
                "live", {"a": "b"}, Throttle(10, 20), {"GET /pets/{id}": Throttle(1, 2)}, "$context.requestId"
            ),
        ),
        Cors(("*",), ("GET",), max_age=60),
    )
    assert (found.account, found.region) == ("123456789012", "us-east-1")


def test_quick_create() -> None:
    found = only_api({"Api": resource("ApiGatewayV2::Api", ProtocolType="HTTP", Name="x", Target=ARN)})
    assert found.routes == (Route("ANY", "$default", Function(ARN, "2.0", 30)),)
    assert found.stages == (Stage("$default"),)
    assert found.unsupported == ()


def test_rest_api_of_resources() -> None:
    proxy = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": URI, "TimeoutInMillis": "2000"}
    mock = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": '{"statusCode": 204}'},
        "IntegrationResponses": [
            {"StatusCode": "500", "SelectionPattern": "5.."},
            {
                "StatusCode": "204",
                "ResponseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
            },
        ],
    }
    found = only_api(
        {
            "Api": resource("ApiGateway::RestApi", Name="x", BinaryMediaTypes=["image~1png"]),
            "Pets": resource("ApiGateway::Resource", RestApiId="Api", ParentId="root", PathPart="pets"),
            "Pet": resource("ApiGateway::Resource", RestApiId="Api", ParentId="Pets", PathPart="{id}"),
            "Root": resource(
                "ApiGateway::Method", RestApiId="Api", ResourceId="root", HttpMethod="GET", Integration=proxy
            ),
            "Any": resource(
                "ApiGateway::Method",
                RestApiId="Api",
                ResourceId="Pet",
                HttpMethod="ANY",
                AuthorizationType="AWS_IAM",
                Integration=proxy,
            ),
            "Options": resource(
                "ApiGateway::Method",
                RestApiId="Api",
                ResourceId="Pet",
                HttpMethod="OPTIONS",
                Integration=mock,
            ),
            "Deployment": resource("ApiGateway::Deployment", RestApiId="Api", StageName="first"),
            "Stage": resource(
                "ApiGateway::Stage",
                RestApiId="Api",
                DeploymentId="Deployment",
                StageName="live",
                Variables={"a": "b"},
                MethodSettings=[
                    {
                        "HttpMethod": "*",
                        "ResourcePath": "/*",
                        "ThrottlingRateLimit": 5,
                        "ThrottlingBurstLimit": 6,
                    },
                    {"HttpMethod": "GET", "ResourcePath": "/~1pets~1{id}", "ThrottlingRateLimit": 1},
                    {"HttpMethod": "GET", "ResourcePath": "/", "LoggingLevel": "INFO"},
                ],
                AccessLogSetting={"Format": "$context.status"},
            ),
        }
    )
    function = Function(ARN, "1.0", 2.0)
    assert set(found.routes) == {
        Route("GET", "/", function),
        Route("ANY", "/pets/{id}", function, Iam()),
        Route("OPTIONS", "/pets/{id}", Mock(204, (("Access-Control-Allow-Origin", "*"),), "")),
    }
    live = Stage(
        "live",
        {"a": "b"},
        Throttle(5, 6),
        {"ANY /*": Throttle(5, 6), "GET /pets/{id}": Throttle(1, None)},
        "$context.status",
    )
    assert found.stages == (live, Stage("first"))
    assert found.binary_types == ("image/png",)
    assert found.unsupported == ()


BODY: dict[str, Any] = {"openapi": "3.0.1", "paths": {}}


def operation(**more: Any) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "uri": URI, "payloadFormatVersion": "2.0"}
    return {"x-amazon-apigateway-integration": integration, **more}


def test_security_of_the_whole_document_holds_where_an_operation_says_nothing() -> None:
    paths = {"/a": {"get": operation()}, "/b": {"get": operation(security=[])}}
    schemes = {"iam": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"}}
    body: dict[str, Any] = {
        **BODY,
        "paths": paths,
        "components": {"securitySchemes": schemes},
        "security": [{"iam": []}],
    }
    stage = resource("ApiGatewayV2::Stage", ApiId="Api", StageName="$default")
    found = only_api({"Api": resource("ApiGatewayV2::Api", Body=body), "Stage": stage})
    assert [each.authorizer for each in found.routes] == [Iam(), None]
