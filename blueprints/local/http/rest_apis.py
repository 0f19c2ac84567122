"""REST APIs of a template: AWS::ApiGateway::RestApi with a Body, or with Resource and Method resources.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import openapi
from .api import ANY, Api, Authorizer, Iam, NotEmulated, Route, Stage, Throttle
from .integrations import integration
from .reading import Values, items, mapping, number, pick, resources, texts, truth

_PREFIX = "AWS::ApiGateway::"
_REFUSED = ("BasePathMapping", "GatewayResponse", "RequestValidator")


def rest_apis(template: Values, ids: Mapping[str, str]) -> Iterator[Api]:
    """`ids` maps logical ids to what Ref gives; a resource that it lacks is known by its logical id."""
    for logical_id, properties in resources(template, f"{_PREFIX}RestApi"):
        own = _Members(template, ids, logical_id)
        body = mapping(properties.get("Body"))
        stages = tuple(own.stages())
        declared = texts(properties.get("BinaryMediaTypes")) + texts(
            body.get("x-amazon-apigateway-binary-media-types")
        )
        yield Api(
            logical_id,
            own.id,
            "REST",
            (*openapi.routes(body, "REST"), *own.routes()),
            stages,
            binary_types=tuple(dict.fromkeys(each.replace("~1", "/") for each in declared)),
            unsupported=(*openapi.refused(body), *own.refused(), *_unread(properties, stages)),
        )


def _unread(properties: Values, stages: tuple[Stage, ...]) -> Iterator[str]:
    refused = {"BodyS3Location": "a body in S3", "Policy": "resource policy", "CloneFrom": "a cloned API"}
    yield from (what for name, what in refused.items() if properties.get(name))
    if properties.get("MinimumCompressionSize") is not None:
        yield "compression"
    if "PRIVATE" in texts(mapping(properties.get("EndpointConfiguration")).get("Types")):
        yield "a private endpoint"
    if str(properties.get("ApiKeySourceType", "HEADER")).upper() != "HEADER":
        yield "API keys from an authorizer"
    if truth(properties.get("DisableExecuteApiEndpoint")):
        yield "a disabled execute-api endpoint"
    if not stages:
        yield "no stage names this API"


class _Members:
    """The resources that name one API as theirs."""

    def __init__(self, template: Values, ids: Mapping[str, str], logical_id: str) -> None:
        self._template = template
        self._ids = ids
        self.id = ids.get(logical_id, logical_id)

    def _of(self, name: str) -> Iterator[tuple[str, Values]]:
        for logical_id, properties in resources(self._template, _PREFIX + name):
            if properties.get("RestApiId") == self.id:
                yield self._ids.get(logical_id, logical_id), properties

    def stages(self) -> Iterator[Stage]:
        """Stage resources, and the stages that Deployments make by naming them."""
        found = {str(properties.get("StageName")): _stage(properties) for _, properties in self._of("Stage")}
        for _, properties in self._of("Deployment"):
            if name := properties.get("StageName"):
                settings = {**mapping(properties.get("StageDescription")), "StageName": name}
                found.setdefault(str(name), _stage(settings))
        yield from found.values()

    def routes(self) -> Iterator[Route]:
        paths = self._paths()
        authorizers = dict(self._of("Authorizer"))
        for _, properties in self._of("Method"):
            called = integration(mapping(properties.get("Integration")), "REST")
            if truth(properties.get("ApiKeyRequired")):
                called = NotEmulated("API keys")
            path = paths.get(str(properties.get("ResourceId")), "") or "/"
            authorizer = _authorizer(
                properties, mapping(authorizers.get(str(properties.get("AuthorizerId"))))
            )
            scopes = texts(properties.get("AuthorizationScopes"))
            yield Route(str(properties.get("HttpMethod")).upper(), path, called, authorizer, scopes)

    def _paths(self) -> dict[str, str]:
        """Paths by resource id; what no Resource declares is the API's root."""
        parts = {
            own: (str(each.get("ParentId")), str(each.get("PathPart"))) for own, each in self._of("Resource")
        }

        def path(own: str, depth: int = 0) -> str:
            if own not in parts or depth > len(parts):
                return ""
            parent, part = parts[own]
            return f"{path(parent, depth + 1)}/{part}"

        return {own: path(own) for own in parts}

    def refused(self) -> Iterator[str]:
        for name in _REFUSED:
            for own, _ in self._of(name):
                yield f"{_PREFIX}{name} {own}"
        for plan, properties in resources(self._template, f"{_PREFIX}UsagePlan"):
            if any(mapping(each).get("ApiId") == self.id for each in items(properties.get("ApiStages"))):
                yield f"{_PREFIX}UsagePlan {plan}"
        for _, properties in self._of("Stage"):
            if truth(properties.get("CacheClusterEnabled")):
                yield f"stage {properties.get('StageName')}: response caching"
            if properties.get("CanarySetting"):
                yield f"stage {properties.get('StageName')}: canary"
        for _, properties in self._of("Method"):
            if properties.get("RequestValidatorId"):
                yield f"{properties.get('HttpMethod')}: request validator"


def _authorizer(method: Values, authorizer: Values) -> Authorizer | None:
    type_name = str(method.get("AuthorizationType") or "NONE").upper()
    if type_name == "NONE":
        return None
    if type_name == "AWS_IAM":
        return Iam()
    return NotEmulated(f"authorizer {authorizer.get('Name', '')} ({type_name})".replace("  ", " "))


def _stage(properties: Values) -> Stage:
    throttles: dict[str, Throttle] = {}
    for each in items(properties.get("MethodSettings")):
        setting = mapping(each)
        rate, burst = number(setting.get("ThrottlingRateLimit")), number(setting.get("ThrottlingBurstLimit"))
        if rate is not None or burst is not None:
            method = str(setting.get("HttpMethod", "*")).upper()
            path = _decoded(str(setting.get("ResourcePath", "/*")))
            throttles[f"{ANY if method == '*' else method} {path}"] = Throttle(rate, burst)
    return Stage(
        str(properties.get("StageName")),
        {name: str(value) for name, value in mapping(properties.get("Variables")).items()},
        throttles.get(f"{ANY} /*"),
        throttles,
        mapping(pick(properties, "AccessLogSetting")).get("Format"),
    )


def _decoded(path: str) -> str:
    """`/~1pets~1{id}`, as MethodSettings write `/pets/{id}`."""
    return path[1:].replace("~1", "/") if path.startswith("/~1") else path
