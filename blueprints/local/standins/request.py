"""Which operation of which service a request asks for, by AWS's own models of its services."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

Environ = dict[str, Any]

# Services whose requests are signed with another name than boto3 has for them. botocore's service models:
# `signingName`, or `endpointPrefix` where that is absent. All others sign with their own name.
SIGNED_AS = {
    "apigateway": ("apigateway", "apigatewayv2"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "email": ("ses",),
    "es": ("opensearch", "es"),
    "execute-api": ("apigatewaymanagementapi",),
    "monitoring": ("cloudwatch",),
    "s3": ("s3", "s3control"),
    "ses": ("ses", "sesv2"),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}

# Operations that are called without a signature. Cognito Developer Guide, "Signed and unsigned APIs"; STS API.
_UNSIGNED_TARGETS = {
    "AWSCognitoIdentityService": "cognito-identity",
    "AWSCognitoIdentityProviderService": "cognito-idp",
}
_UNSIGNED_ACTIONS = {"AssumeRoleWithSAML": "sts", "AssumeRoleWithWebIdentity": "sts"}

_SCOPE = re.compile(r"(?P<key>[^/\s=]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class Call:
    """One API call. `service` is boto3's name for it, `access_key` empty where the request is not signed.

    `operation` is moto's model of the operation, or None where no operation of the service has this form.
    """

    service: str
    operation: Any
    region: str
    access_key: str
    protocol: str
    request: Request
    labels: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The operation's name; method and path where there is none."""
        return (
            str(self.operation.name) if self.operation else f"{self.request.method} {self.request.raw_path}"
        )

    @property
    def api(self) -> str:
        """Service and operation, such as `dynamodb:PutItem`."""
        return f"{self.service}:{self.name}"

    def parameters(self) -> dict[str, Any]:
        """The call's parameters as plain data; bytes and streams are told by their size alone.

        Empty for a request that its service would refuse as malformed.
        """
        if self.operation is None:
            return {}
        if self.protocol == "json":
            return _json(self.request.get_data())
        if (
            self.service == "s3"
        ):  # documents and objects are in its bodies, all else in path, headers and query
            query = parse_qs(self.request.query_string.decode("latin-1"), keep_blank_values=True)
            sent = {key.lower(): value for key, value in self.request.headers.items()}
            headers = {key: value for key, value in sent.items() if key.startswith("x-amz-")}
            return {**self.labels, **headers, **{key: values[0] for key, values in query.items()}}
        try:
            return self._parsed()
        except (
            Exception
        ):  # moto's parsers fail in many ways, and a journal must not be what refuses a request
            return {}

    def _parsed(self) -> dict[str, Any]:
        parser = cast("Any", PROTOCOL_PARSERS)[self.protocol](self.operation)
        found = parser.parse(
            {
                "method": self.request.method,
                "values": self.request.values,
                "headers": self.request.headers,
                "body": self.request.get_data(),
                "url_path": self.request.path,
                "url_params": self.labels,
            }
        )
        return json.loads(json.dumps({**self.labels, **found}, default=_plain))


def read_body(environ: Environ) -> bytes:
    """The whole body. The gate gives it back to whoever reads the request after it."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return stream.read()
    return stream.read(int(environ.get("CONTENT_LENGTH") or 0))


def with_body(environ: Environ, body: bytes) -> Environ:
    """The same request, to be read from its start."""
    return {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def identify(environ: Environ) -> Call | None:
    """The call that a request makes; None for a request that is to no service of AWS."""
    request = Request(environ)
    key, region, signed = _signature(request)
    if not signed:
        return None
    candidates = SIGNED_AS.get(signed, (signed,))
    for service in candidates:
        operation, labels, protocol = _match(service, request)
        if operation is not None:
            return Call(service, operation, region, key, protocol, request, labels)
    return Call(candidates[0], None, region, key, "", request, {})


def _signature(request: Request) -> tuple[str, str, str]:
    """Access key, region and service by which a request is signed: in its header, its URL, or its form.

    Presigned URLs of S3 may have signatures of version 2, which name neither region nor service. A service is told for
    the few operations that take no signature; ("", "", "") is left for all else.
    """
    given = request.args if request.method == "GET" else request.values
    credential = given.get("X-Amz-Credential") or given.get("x-amz-credential") or ""
    scope = _SCOPE.search(request.headers.get("Authorization") or credential)
    if scope:
        return scope["key"], scope["region"], scope["service"]
    if given.get("AWSAccessKeyId"):
        return given["AWSAccessKeyId"], "", "s3"
    return "", "", _unsigned(request)


def _unsigned(request: Request) -> str:
    target = request.headers.get("X-Amz-Target", "").partition(".")[0]
    action = (
        request.values.get("Action", "") if request.mimetype == "application/x-www-form-urlencoded" else ""
    )
    return _UNSIGNED_TARGETS.get(target) or _UNSIGNED_ACTIONS.get(action) or ""


def _match(service: str, request: Request) -> tuple[Any, Mapping[str, Any], str]:
    from botocore.exceptions import UnknownServiceError
    from werkzeug.exceptions import HTTPException

    try:
        protocol = determine_request_protocol(get_service_model(service), request.content_type)
        operation, labels = get_service_router(service).match(request)
    except (UnknownServiceError, HTTPException, NotImplementedError):
        return None, {}, ""
    return operation, labels, protocol


def _json(body: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(body or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _plain(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
