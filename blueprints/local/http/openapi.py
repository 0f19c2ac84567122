"""APIs in OpenAPI 3.0 and Swagger 2.0 with Amazon's extensions: what SAM makes of Serverless::HttpApi and Api.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .api import ANY, DEFAULT, Authorizer, Iam, Jwt, Kind, NotEmulated, Route
from .integrations import integration
from .reading import Values, items, mapping, texts

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch")
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"

# What changes answers and is not run here. Documentation, tags and endpoint types change none.
_REFUSED = {
    "x-amazon-apigateway-policy": "resource policy",
    "x-amazon-apigateway-gateway-responses": "gateway responses",
    "x-amazon-apigateway-request-validator": "request validator",
    "x-amazon-apigateway-minimum-compression-size": "compression",
}


def routes(body: Values, kind: Kind) -> Iterator[Route]:
    """One route an operation."""
    for path, method, operation in _operations(body):
        authorizer, scopes = _security(body, operation, kind)
        called = integration(mapping(operation.get(_INTEGRATION)), kind)
        if _INTEGRATION not in operation:
            called = NotEmulated("an operation without an integration")
        yield Route(method, path, called, authorizer, scopes)


def refused(body: Values) -> Iterator[str]:
    """Extensions of the whole document, and of single operations, that are not emulated."""
    for name, what in _REFUSED.items():
        if body.get(name):
            yield what
        for path, method, operation in _operations(body):
            if operation.get(name):
                yield f"{method} {path}: {what}"


def _operations(body: Values) -> Iterator[tuple[str, str, Values]]:
    for path, entry in mapping(body.get("paths")).items():
        for verb, operation in mapping(entry).items():
            if verb == _ANY or verb in _VERBS:
                method = ANY if verb == _ANY else verb.upper()
                yield (DEFAULT if path in (DEFAULT, f"/{DEFAULT}") else path), method, mapping(operation)


@dataclass(frozen=True)
class _Scheme:
    name: str
    spec: Values
    scopes: tuple[str, ...]


def _security(body: Values, operation: Values, kind: Kind) -> tuple[Authorizer | None, tuple[str, ...]]:
    explicit = str(mapping(operation.get("x-amazon-apigateway-auth")).get("type", "")).upper()
    if explicit in ("AWS_IAM", "NONE"):
        return (Iam() if explicit == "AWS_IAM" else None), ()
    known = _schemes(body)
    demands = items(operation["security"] if "security" in operation else body.get("security"))
    # A name without a definition asks for nothing: SAM writes NONE where a route leaves the default authorizer.
    asked = [
        _Scheme(name, mapping(known[name]), texts(scopes))
        for demand in demands
        for name, scopes in mapping(demand).items()
        if name in known
    ]
    if len(asked) > 1:
        return NotEmulated("several security schemes: " + ", ".join(each.name for each in asked)), ()
    return (_authorizer(asked[0], kind), asked[0].scopes) if asked else (None, ())


def _schemes(body: Values) -> Values:
    components = mapping(mapping(body.get("components")).get("securitySchemes"))
    return {**mapping(body.get("securityDefinitions")), **components}


def _authorizer(scheme: _Scheme, kind: Kind) -> Authorizer:
    if str(scheme.spec.get("x-amazon-apigateway-authtype", "")).lower() == "awssigv4":
        return Iam()
    spec = mapping(scheme.spec.get(_AUTHORIZER))
    type_name = str(spec.get("type", "")).lower()
    if kind == "HTTP" and type_name == "jwt":
        return jwt(mapping(spec.get("jwtConfiguration")), spec.get("identitySource"))
    if not spec:
        return NotEmulated(f"security scheme {scheme.name} ({scheme.spec.get('type')})")
    return NotEmulated(f"authorizer {scheme.name} ({type_name})")


def jwt(configuration: Values, source: object) -> Jwt:
    """A JWT authorizer, `configuration` in OpenAPI's or CloudFormation's spelling."""
    lower = {name.lower(): value for name, value in configuration.items()}
    sources = texts(source) or ("$request.header.Authorization",)
    return Jwt(str(lower.get("issuer", "")), texts(lower.get("audience")), sources[0])
