"""AWS_IAM: signatures made by botocore and by curl."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from blueprints.local.http.api import Iam
from tests.local.http.harness import DEADLINE, Reply, Serve, Served, http_api, rest_api, route

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PRINCIPALS = {KEY: SECRET}
AT = datetime(2020, 3, 4, 19, 3, 58, tzinfo=UTC)  # the harness's now

HTTP = http_api(route("ANY /{proxy+}", authorizer=Iam()))
REST = rest_api(route("ANY /{proxy+}", "1.0", authorizer=Iam()))


def signed(
    method: str,
    target: str,
    body: bytes = b"",
    *,
    headers: dict[str, str] | None = None,
    secret: str = SECRET,
    key: str = KEY,
    region: str = "us-east-1",
    service: str = "execute-api",
    at: datetime = AT,
    signer: Any = SigV4Auth,
) -> Any:
    request: Any = AWSRequest(method, f"http://api.example{target}", data=body, headers=headers or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at)
        signer(Credentials(key, secret), service, region).add_auth(request)
    return request


def send(served: Served, request: Any, target: str | None = None, body: bytes | None = None) -> Reply:
    sent = request.url.removeprefix("http://api.example") if target is None else target
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    return served.send(request.method, sent, headers, request.data if body is None else body)


def serve_iam(serve: Serve, api: Any = HTTP, **settings: Any) -> Served:
    return serve(api, principals=PRINCIPALS, **settings)


@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("GET", "/pets", b"", {}),
        ("GET", "/pets?b=2&a=1&a=0&empty=&bare", b"", {}),
        ("GET", "/pets/a%20b/%C3%A9?q=%2B%20x", b"", {}),
        ("POST", "/pets", b'{"a": 1}', {"Content-Type": "application/json", "X-Spaces": " a   b "}),
        ("PUT", "/pets/1", bytes(range(256)), {"User-Agent": "unsigned"}),
        ("DELETE", "/pets/1", b"", {}),
    ],
)
@pytest.mark.parametrize("signer", [SigV4Auth, SigV4QueryAuth])  # in a header, and in the query string
def test_a_good_signature(
    serve: Serve, method: str, target: str, body: bytes, headers: dict[str, str], signer: Any
) -> None:
    served = serve_iam(serve)
    if signer is SigV4QueryAuth:
        body = b""  # botocore would put it into the query string
    assert send(served, signed(method, target, body, headers=headers, signer=signer)).status == 200
    assert served.stub.event["requestContext"]["authorizer"]["iam"] == {
        "accessKey": KEY,
        "accountId": "123456789012",
        "callerId": "123456789012",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::123456789012:root",
        "userId": "123456789012",
    }


def test_the_identity_of_a_rest_event(serve: Serve) -> None:
    served = serve_iam(serve, REST)
    assert send(served, signed("GET", "/test/pets")).status == 200
    identity = served.stub.event["requestContext"]["identity"]
    assert (identity["accessKey"], identity["accountId"]) == (KEY, "123456789012")
    assert identity["userArn"] == "arn:aws:iam::123456789012:root"


MISMATCH = "The request signature we calculated does not match the signature you provided."
BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"secret": "wrong"}, {}, MISMATCH),
    ({"key": "AKIDNOBODY"}, {}, "The security token included in the request is invalid."),
    ({}, {"target": "/test/other"}, MISMATCH),
    ({}, {"target": "/test/pets?a=2"}, MISMATCH),
    ({}, {"body": b"tampered"}, MISMATCH),
    ({"headers": {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}}, {}, MISMATCH),
    ({"at": AT - timedelta(minutes=6)}, {}, "Signature expired: 20200304T185758Z"),
    ({"at": AT + timedelta(minutes=6)}, {}, "Signature not yet current: 20200304T190958Z"),
    (
        {"region": "eu-west-1"},
        {},
        "Credential should be scoped to '20200304/us-east-1/execute-api/aws4_request'",
    ),
    ({"service": "s3"}, {}, "Credential should be scoped to '20200304/us-east-1/execute-api/aws4_request'"),
]


@pytest.mark.parametrize(("signing", "sending", "words"), BAD)
def test_a_bad_signature(serve: Serve, signing: dict[str, Any], sending: dict[str, Any], words: str) -> None:
    request = signed("POST", "/test/pets?a=1", b"body", **signing)
    rest = serve_iam(serve, REST)
    reply = send(rest, request, **sending)
    assert reply.status == 403
    assert reply.json["message"].startswith(words)
    http = serve_iam(serve)
    reply = send(http, request, **sending)
    assert (reply.status, reply.body) == (403, b'{"message":"Forbidden"}')
    assert rest.stub.events == http.stub.events == []


@pytest.mark.parametrize("seconds", [-299, 299])
def test_five_minutes_of_skew_are_allowed(serve: Serve, seconds: int) -> None:
    assert send(serve_iam(serve), signed("GET", "/x", at=AT + timedelta(seconds=seconds))).status == 200


def test_a_changed_header_that_was_signed(serve: Serve) -> None:
    request = signed("GET", "/x", headers={"X-Role": "reader"})
    served = serve_iam(serve)
    assert send(served, request).status == 200
    request.headers.replace_header("X-Role", "admin")
    assert send(served, request).status == 403


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "Missing Authentication Token"),
        ("Bearer x", "Authorization header requires 'AWS4-HMAC-SHA256'."),
        ("AWS4-HMAC-SHA256 Credential=x", "Authorization header requires 'SignedHeaders' parameter."),
        (
            f"AWS4-HMAC-SHA256 Credential={KEY}/x, SignedHeaders=host, Signature=x",
            "Authorization header requires existence",
        ),
    ],
)
def test_no_signature(serve: Serve, value: str | None, words: str) -> None:
    headers = {"Authorization": value} if value else {}
    reply = serve_iam(serve, REST).send("GET", "/test/x", headers)
    assert reply.status == 403
    assert reply.json["message"].startswith(words)
    reply = serve_iam(serve).send("GET", "/x", headers)
    assert (reply.status, reply.body) == (403, b'{"message":"Forbidden"}')


class WithoutHost(SigV4Auth):
    def headers_to_sign(self, request: Any) -> Any:
        found: Any = super().headers_to_sign(request)  # pyright: ignore[reportUnknownMemberType]
        del found["host"]
        return found


def test_the_host_has_to_be_signed(serve: Serve) -> None:
    """The signature is right; it would hold for any API."""
    assert send(serve_iam(serve), signed("GET", "/x", signer=WithoutHost)).status == 403


def test_a_presigned_address_expires(serve: Serve) -> None:
    def signer(*args: Any) -> Any:
        return SigV4QueryAuth(*args, expires=60)

    served = serve_iam(serve)
    assert send(served, signed("GET", "/x?a=1", at=AT - timedelta(seconds=59), signer=signer)).status == 200
    assert send(served, signed("GET", "/x?a=1", at=AT - timedelta(seconds=61), signer=signer)).status == 403
    request = signed("GET", "/x?a=1", signer=signer)
    assert send(served, request, target=request.url.removeprefix("http://api.example") + "&b=2").status == 403


def curl(url: str, *options: str, user: str = f"{KEY}:{SECRET}") -> int:
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--user", user]
    signing = ["--aws-sigv4", "aws:amz:us-east-1:execute-api"]
    ended = subprocess.run(
        [*command, *signing, *options, url], capture_output=True, timeout=DEADLINE, check=True
    )
    return int(ended.stdout)


def test_curl(serve: Serve) -> None:
    for api in (HTTP, REST):
        served = serve_iam(serve, api, clock=time.time)
        assert curl(f"{served.url}/pets") == 200
        assert curl(f"{served.url}/pets?a=1&b=2") == 200
        assert (
            curl(f"{served.url}/pets", "--data", '{"a": 1}', "--header", "Content-Type: application/json")
            == 200
        )
        assert curl(f"{served.url}/pets", user=f"{KEY}:wrong") == 403
        assert served.stub.events[2]["body"] == '{"a": 1}'
        assert len(served.stub.events) == 3
