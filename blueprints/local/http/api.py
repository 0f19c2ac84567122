"""What a template says about an API, in one shape for HTTP and REST APIs and for resources and OpenAPI bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["HTTP", "REST"]
PayloadFormat = Literal["1.0", "2.0"]

ANY = "ANY"
DEFAULT = "$default"  # the route that catches everything, and the stage without a path

# Accounts and regions stand in function ARNs; an API without functions has moto's.
ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Answer:
    """How an invocation ended. `error` is Lambda's X-Amz-Function-Error ("Unhandled"), `throttled` its 429."""

    payload: bytes
    error: str | None = None
    throttled: bool = False


@dataclass(frozen=True)
class Function:
    """A Lambda proxy integration. `timeout` in seconds."""

    arn: str
    payload: PayloadFormat
    timeout: float


@dataclass(frozen=True)
class Mock:
    """A MOCK integration whose templates and parameters hold no variables, as SAM writes it for CORS."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True)
class NotEmulated:
    """A part of a route that this front does not run, by the name AWS has for it."""

    name: str


@dataclass(frozen=True)
class Iam:
    """AWS_IAM: the request bears a Signature Version 4."""


@dataclass(frozen=True)
class Jwt:
    """A JWT authorizer. `source` is the identity source, `$request.header.Authorization`."""

    issuer: str
    audience: tuple[str, ...]
    source: str


Integration = Function | Mock | NotEmulated
Authorizer = Iam | Jwt | NotEmulated


@dataclass(frozen=True)
class Route:
    """`method` is a verb or ANY; `path` is `/pets/{id}`, `/{proxy+}` or $default."""

    method: str
    path: str
    integration: Integration
    authorizer: Authorizer | None = None
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As HTTP APIs spell it: `GET /pets`, `$default`."""
        return DEFAULT if self.path == DEFAULT else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Throttle:
    """Requests a second and the size of the bucket; None is the account's limit, which is not emulated."""

    rate: float | None
    burst: float | None


@dataclass(frozen=True)
class Stage:
    """`throttles` has route keys; a key that is absent falls back to `throttle`. `log_format` is the access log's."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    throttle: Throttle | None = None
    throttles: Mapping[str, Throttle] = field(default_factory=dict[str, Throttle])
    log_format: str | None = None

    def limit(self, route: Route) -> Throttle | None:
        keys = (route.key, f"{ANY} {route.path}", f"{route.method} /*")
        return next((self.throttles[key] for key in keys if key in self.throttles), self.throttle)


@dataclass(frozen=True)
class Cors:
    """The CORS configuration of an HTTP API."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class Api:
    """One API. `id` is the physical id, `unsupported` names what the template asks for and nobody here does."""

    logical_id: str
    id: str
    kind: Kind
    routes: tuple[Route, ...]
    stages: tuple[Stage, ...]
    cors: Cors | None = None
    binary_types: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        return self._of_function(4, ACCOUNT)

    @property
    def region(self) -> str:
        return self._of_function(3, REGION)

    def _of_function(self, part: int, otherwise: str) -> str:
        arns = (
            each.integration.arn.split(":") for each in self.routes if isinstance(each.integration, Function)
        )
        return next((arn[part] for arn in arns if len(arn) > part), otherwise)
