"""APIs as SAM expands them, and the committed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blueprints.local.http import apis
from blueprints.local.http.api import Cors, Function, Iam, Jwt, Mock, NotEmulated, Route, Stage, Throttle
from tests.local.http.harness import Serve, Stub, expanded

TEMPLATES = Path(__file__).parents[3] / "templates" / "example"

REST = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      BinaryMediaTypes: [image~1png]
      Cors: {AllowOrigin: "'*'", AllowHeaders: "'content-type'", AllowMethods: "'GET,PUT'", MaxAge: "'600'"}
      Auth: {DefaultAuthorizer: AWS_IAM, AddDefaultAuthorizerToCorsPreflight: false}
      MethodSettings: [{HttpMethod: '*', ResourcePath: '/*', ThrottlingBurstLimit: 3, ThrottlingRateLimit: 2}]
  Pets:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      InlineCode: x
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/pets/{id}', Method: GET}}
        All: {Type: Api, Properties: {RestApiId: !Ref Api,
          Path: '/open/{proxy+}', Method: ANY, Auth: {Authorizer: NONE}}}
"""

HTTP = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: ['https://a.example'], AllowHeaders: [x-a], AllowMethods: [GET], MaxAge: 600,
        ExposeHeaders: [x-b], AllowCredentials: true}
      Auth:
        EnableIamAuthorizer: true
        DefaultAuthorizer: Users
        Authorizers:
          Users:
            AuthorizationScopes: [read, write]
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: 'https://issuer.example', audience: [pets]}
          Custom:
            FunctionArn: arn:aws:lambda:us-east-1:123456789012:function:authorizer
            AuthorizerPayloadFormatVersion: '2.0'
            Identity: {Headers: [Authorization]}
  Pets:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      InlineCode: x
      Events:
        Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/pets/{id}', Method: GET, TimeoutInMillis: 5000,
          PayloadFormatVersion: '1.0'}}
        Signed: {Type: HttpApi, Properties: {ApiId: !Ref Api,
          Path: '/signed', Method: ANY, Auth: {Authorizer: AWS_IAM}}}
        Custom: {Type: HttpApi, Properties: {ApiId: !Ref Api,
          Path: '/custom', Method: POST, Auth: {Authorizer: Custom}}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/open', Method: POST, Auth: {Authorizer: NONE}}}
        Default: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
"""

PETS = "arn:aws:lambda:us-east-1:123456789012:function:Pets"


def test_rest_api_as_sam_expands_it() -> None:
    (found,) = apis(expanded(REST))
    function = Function(PETS, "1.0", 29)
    headers = {"Origin": "*", "Max-Age": "600", "Methods": "GET,PUT", "Headers": "content-type"}
    by_key = {route.key: route for route in found.routes}
    assert by_key["GET /pets/{id}"] == Route("GET", "/pets/{id}", function, Iam())
    assert by_key["ANY /open/{proxy+}"] == Route("ANY", "/open/{proxy+}", function)
    preflight = by_key["OPTIONS /pets/{id}"]
    assert preflight.authorizer is None
    assert isinstance(preflight.integration, Mock)
    assert preflight.integration.status == 200
    assert dict(preflight.integration.headers) == {
        f"Access-Control-{'Allow-' if name != 'Max-Age' else ''}{name}": value
        for name, value in headers.items()
    }
    assert found.stages[0].name == "v1"
    assert found.stages[0].throttle == Throttle(2, 3)
    assert found.binary_types == ("image/png",)
    assert found.unsupported == ()


def test_http_api_as_sam_expands_it() -> None:
    (found,) = apis(expanded(HTTP))
    users = Jwt("https://issuer.example", ("pets",), "$request.header.Authorization")
    function = Function(PETS, "2.0", 30)
    assert set(found.routes) == {
        Route("GET", "/pets/{id}", Function(PETS, "1.0", 5), users, ("read", "write")),
        Route("ANY", "/signed", function, Iam()),
        Route("POST", "/custom", function, NotEmulated("authorizer Custom (request)")),
        Route("POST", "/open", function),
        Route("ANY", "$default", function, users, ("read", "write")),
    }
    assert found.cors == Cors(("https://a.example",), ("GET",), ("x-a",), ("x-b",), 600, True)
    assert found.stages == (Stage("$default"),)
    assert found.unsupported == ("POST /custom: authorizer Custom (request)",)


def echo_stage(event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "body": event["requestContext"]["stage"]}


def test_the_committed_template(serve: Serve) -> None:
    """Whatever its shape is: each of its routes reaches the function that the template gives it."""
    for api in apis(expanded((TEMPLATES / "crud-api.yaml").read_text(), StageName="Prod")):
        served = serve(api, Stub(echo_stage))
        stage = "".join(f"/{part}" for part in served.url.split("/")[3:])
        open_routes = [
            each for each in api.routes if isinstance(each.integration, Function) and each.authorizer is None
        ]
        for each in open_routes:
            assert isinstance(each.integration, Function)
            path = each.path.replace("{", "").replace("}", "").replace("+", "")
            method = "GET" if each.method == "ANY" else each.method
            reply = served.send(method, stage + path)
            assert (reply.status, reply.body.decode()) == (200, api.stages[0].name)
            assert served.stub.arns[-1] == each.integration.arn
        assert api.routes
        assert api.stages


def test_a_route_that_is_not_emulated_says_so_and_runs_nothing(serve: Serve) -> None:
    (api,) = apis(expanded(HTTP))
    served = serve(api)
    reply = served.send("POST", "/custom")
    assert (reply.status, served.stub.events) == (501, [])
