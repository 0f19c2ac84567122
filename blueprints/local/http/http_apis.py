"""HTTP APIs of a template: AWS::ApiGatewayV2::Api with a Body, with Route and Integration resources, or with a Target.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import openapi
from .api import (
    DEFAULT,
    Api,
    Authorizer,
    Cors,
    Function,
    Iam,
    Integration,
    NotEmulated,
    Route,
    Stage,
    Throttle,
)
from .integrations import integration
from .reading import Values, mapping, number, pick, resources, texts, truth

_PREFIX = "AWS::ApiGatewayV2::"
_REFUSED = ("ApiMapping", "IntegrationResponse", "RouteResponse", "VpcLink", "ApiGatewayManagedOverrides")


def http_apis(template: Values, ids: Mapping[str, str]) -> Iterator[Api]:
    """`ids` maps logical ids to what Ref gives; a resource that it lacks is known by its logical id."""
    for logical_id, properties in resources(template, f"{_PREFIX}Api"):
        if str(properties.get("ProtocolType", "HTTP")).upper() != "HTTP":
            yield Api(
                logical_id, ids.get(logical_id, logical_id), "HTTP", (), (), unsupported=("WebSocket API",)
            )
        else:
            yield _api(template, ids, logical_id, properties)


def _api(template: Values, ids: Mapping[str, str], logical_id: str, properties: Values) -> Api:
    own = _Members(template, ids, logical_id)
    body = mapping(properties.get("Body"))
    routes = (*_quick(properties), *openapi.routes(body, "HTTP"), *own.routes())
    stages = (*own.stages(), *((Stage(DEFAULT),) if properties.get("Target") else ()))
    unsupported = [*openapi.refused(body), *own.refused(), *_unread(properties, stages)]
    spec = pick(properties, "CorsConfiguration") or body.get("x-amazon-apigateway-cors")
    cors = _cors(mapping(spec)) if spec else None
    return Api(logical_id, own.id, "HTTP", routes, stages, cors, unsupported=tuple(unsupported))


def _unread(properties: Values, stages: tuple[Stage, ...]) -> Iterator[str]:
    if properties.get("BodyS3Location"):
        yield "a body in S3"
    if truth(properties.get("DisableExecuteApiEndpoint")):
        yield "a disabled execute-api endpoint"
    if not stages:
        yield "no stage names this API"


def _quick(properties: Values) -> Iterator[Route]:
    """Quick create: a target at a route key, by default at $default."""
    if properties.get("Target"):
        called = integration(
            {"type": "AWS_PROXY", "uri": properties["Target"], "payloadFormatVersion": "2.0"}, "HTTP"
        )
        yield _keyed(str(properties.get("RouteKey") or DEFAULT), called, None, ())


class _Members:
    """The resources that name one API as theirs."""

    def __init__(self, template: Values, ids: Mapping[str, str], logical_id: str) -> None:
        self._template = template
        self._ids = ids
        self.id = ids.get(logical_id, logical_id)

    def _of(self, name: str) -> Iterator[tuple[str, Values]]:
        for logical_id, properties in resources(self._template, _PREFIX + name):
            if properties.get("ApiId") == self.id:
                yield self._ids.get(logical_id, logical_id), properties

    def stages(self) -> Iterator[Stage]:
        for _, properties in self._of("Stage"):
            settings = mapping(properties.get("RouteSettings"))
            yield Stage(
                str(properties.get("StageName")),
                {name: str(value) for name, value in mapping(properties.get("StageVariables")).items()},
                _throttle(mapping(properties.get("DefaultRouteSettings"))),
                {key: found for key, each in settings.items() if (found := _throttle(mapping(each)))},
                mapping(properties.get("AccessLogSettings")).get("Format"),
            )

    def routes(self) -> Iterator[Route]:
        integrations = {
            f"integrations/{own}": integration(spec, "HTTP") for own, spec in self._of("Integration")
        }
        authorizers = dict(self._of("Authorizer"))
        for _, properties in self._of("Route"):
            called = integrations.get(
                str(properties.get("Target")), NotEmulated("a route without an integration")
            )
            scopes = texts(properties.get("AuthorizationScopes"))
            authorizer = _authorizer(
                properties, mapping(authorizers.get(str(properties.get("AuthorizerId"))))
            )
            yield _keyed(str(properties.get("RouteKey")), called, authorizer, scopes)

    def refused(self) -> Iterator[str]:
        for name in _REFUSED:
            for own, _ in self._of(name):
                yield f"{_PREFIX}{name} {own}"


def _keyed(key: str, called: Integration, authorizer: Authorizer | None, scopes: tuple[str, ...]) -> Route:
    method, _, path = key.partition(" ")
    if key == DEFAULT:
        method, path = "ANY", DEFAULT
    if isinstance(called, Function) and not path.startswith(("/", DEFAULT)):
        called = NotEmulated(f"route key {key}")
    return Route(method, path, called, authorizer, scopes)


def _authorizer(route: Values, authorizer: Values) -> Authorizer | None:
    type_name = str(route.get("AuthorizationType") or "NONE").upper()
    if type_name == "NONE":
        return None
    if type_name == "AWS_IAM":
        return Iam()
    if type_name == "JWT" and authorizer:
        return openapi.jwt(mapping(authorizer.get("JwtConfiguration")), authorizer.get("IdentitySource"))
    return NotEmulated(f"authorizer {authorizer.get('Name', '')} ({type_name})".replace("  ", " "))


def _throttle(settings: Values) -> Throttle | None:
    rate, burst = number(settings.get("ThrottlingRateLimit")), number(settings.get("ThrottlingBurstLimit"))
    return None if rate is None and burst is None else Throttle(rate, burst)


def _cors(spec: Values) -> Cors:
    lower = {name.lower(): value for name, value in spec.items()}
    age = number(lower.get("maxage"))
    return Cors(
        texts(lower.get("alloworigins")),
        texts(lower.get("allowmethods")),
        texts(lower.get("allowheaders")),
        texts(lower.get("exposeheaders")),
        None if age is None else int(age),
        truth(lower.get("allowcredentials")),
    )
