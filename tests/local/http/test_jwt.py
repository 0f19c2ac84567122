"""JWT authorizers: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from blueprints.local.http.api import Jwt
from tests.local.http.harness import NOW, Reply, Serve, Served, at_once, http_api, route

ISSUER = "https://issuer.example/pool"
AUTHORIZER = Jwt(ISSUER, ("pets", "shop"), "$request.header.Authorization")
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": ISSUER, "aud": "pets", "sub": "user", "exp": NOW + 60, "iat": NOW - 60}

KID = {"kid": "one"}


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    algorithm: Any = ECAlgorithm if key is CURVE else RSAAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


class Keys:
    """An issuer's key set that counts how often it is asked for."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys) or [jwk(KEY, "one")]
        self.asked: list[str] = []
        self.delay = 0.0

    def __call__(self, issuer: str) -> dict[str, Any]:
        self.asked.append(issuer)
        time.sleep(self.delay)
        return {"keys": list(self.keys)}


def token(claims: Mapping[str, Any] = CLAIMS, key: Any = KEY, alg: str = "RS256", headers: Any = KID) -> str:
    return jwt.encode(dict(claims), key, alg, headers)


def unsigned(header: Mapping[str, Any], secret: bytes | None = None) -> str:
    """A token put together by hand, as PyJWT rightly refuses to make it; with an HMAC if there is a secret."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, CLAIMS)]
    mac = hmac.digest(secret, b".".join(parts), hashlib.sha256) if secret else b""
    return b".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def spliced(one: str, other: str) -> str:
    """Header and signature of one token around the claims of another."""
    (header, _, signature), (_, claims, _) = one.split("."), other.split(".")
    return ".".join((header, claims, signature))


def serve_jwt(
    serve: Serve, keys: Any = None, scopes: tuple[str, ...] = (), authorizer: Jwt = AUTHORIZER
) -> Served:
    api = http_api(route("GET /x", authorizer=authorizer, scopes=scopes))
    return serve(api, keys=keys or Keys())


def ask(served: Served, text: str | None, scheme: str = "Bearer ") -> Reply:
    return served.send("GET", "/x", {} if text is None else {"Authorization": scheme + text})


PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
REFUSED: list[tuple[str, str]] = [
    ("expired", token(CLAIMS | {"exp": NOW})),
    ("without exp", token({name: value for name, value in CLAIMS.items() if name != "exp"})),
    ("exp is text", token(CLAIMS | {"exp": str(NOW + 60)})),
    ("not yet valid", token(CLAIMS | {"nbf": NOW + 1})),
    ("issued in the future", token(CLAIMS | {"iat": NOW + 1})),
    ("another issuer", token(CLAIMS | {"iss": "https://issuer.example"})),
    ("without issuer", token({name: value for name, value in CLAIMS.items() if name != "iss"})),
    ("another audience", token(CLAIMS | {"aud": "cars"})),
    ("aud counts before client_id", token(CLAIMS | {"aud": "cars", "client_id": "pets"})),
    ("another client_id", token({**CLAIMS, "aud": None, "client_id": "cars"})),
    ("without audience", token({name: value for name, value in CLAIMS.items() if name != "aud"})),
    ("forged: signed by another key", token(key=OTHER)),
    ("forged: claims exchanged", spliced(token(), token(CLAIMS | {"sub": "admin"}))),
    ("no kid", token(headers={})),
    ("unknown kid", token(headers={"kid": "nine"})),
    ("kid is a number", unsigned({"alg": "RS256", "kid": 1})),
    ("alg none", unsigned({"alg": "none", "kid": "one"})),
    ("alg None", unsigned({"alg": "None", "kid": "one"})),
    ("HS256 with the public key as the secret", unsigned({"alg": "HS256", "kid": "one"}, PUBLIC)),
    ("PS256: not known to be supported", token(alg="PS256")),
    ("ES256: RSA alone is supported", token(key=CURVE, alg="ES256", headers={"kid": "curve"})),
    ("RS256 said, another key type named", token(headers={"kid": "curve"})),
    ("empty signature", token().rpartition(".")[0] + "."),
    ("no token", "x"),
    ("too few parts", "a.b"),
    ("not base64", "!.!.!"),
]  # fmt: skip


@pytest.mark.parametrize("text", [text for _, text in REFUSED], ids=[name for name, _ in REFUSED])
def test_refused(serve: Serve, text: str) -> None:
    served = serve_jwt(serve, Keys(jwk(KEY, "one"), jwk(CURVE, "curve")))
    reply = ask(served, text)
    assert (reply.status, reply.body, served.stub.events) == (401, b'{"message":"Unauthorized"}', [])
    challenge = reply.header("www-authenticate") or ""
    assert challenge.startswith('Bearer scope="" error="invalid_token" error_description="')


def test_the_documented_challenge(serve: Serve) -> None:
    reply = ask(serve_jwt(serve), token(CLAIMS | {"aud": "cars"}))
    words = "the token does not have a valid audience"
    assert (
        reply.header("www-authenticate")
        == f'Bearer scope="" error="invalid_token" error_description="{words}"'
    )


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_token(serve: Serve, text: str | None) -> None:
    reply = ask(serve_jwt(serve), text)
    assert (reply.status, reply.header("www-authenticate")) == (401, "Bearer")


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", ""])
def test_good(serve: Serve, algorithm: str, scheme: str) -> None:
    assert ask(serve_jwt(serve), token(alg=algorithm), scheme).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["cars", "shop"]},
        {"aud": None, "client_id": "pets"},
        {"nbf": NOW},
        {"exp": int(NOW) + 1},
    ],
)
def test_good_claims(serve: Serve, claims: dict[str, Any]) -> None:
    assert ask(serve_jwt(serve), token({**CLAIMS, **claims})).status == 200


def test_claims_reach_the_function_as_text(serve: Serve) -> None:
    served = serve_jwt(serve)
    claims = {"iss": ISSUER, "aud": "pets", "exp": 1583349000, "admin": True, "groups": ["a", "b"]}
    assert ask(served, token(claims)).status == 200
    assert served.stub.event["requestContext"]["authorizer"] == {
        "jwt": {
            "claims": {"iss": ISSUER, "aud": "pets", "exp": "1583349000", "admin": "true", "groups": "[a b]"},
            "scopes": None,
        }
    }


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"scope": "openid write"}, 200),
        ({"scp": ["write"]}, 200),
        ({"scp": "write"}, 200),
        ({"scope": "openid"}, 403),
        ({"scope": "writers"}, 403),
        ({}, 403),
    ],
)
def test_scopes(serve: Serve, claims: dict[str, Any], status: int) -> None:
    served = serve_jwt(serve, scopes=("read", "write"))
    reply = ask(served, token(CLAIMS | claims))
    assert reply.status == status
    if status == 403:
        assert reply.body == b'{"message":"Forbidden"}'
        assert 'scope="read write" error="insufficient_scope"' in (reply.header("www-authenticate") or "")
    else:
        assert "write" in served.stub.event["requestContext"]["authorizer"]["jwt"]["scopes"]


def test_a_token_in_the_query_string(serve: Serve) -> None:
    served = serve_jwt(serve, authorizer=Jwt(ISSUER, ("pets",), "$request.querystring.token"))
    assert served.send("GET", f"/x?token={token()}").status == 200
    assert served.send("GET", "/x", {"Authorization": token()}).status == 401


def test_keys_are_kept_and_fetched_again_for_an_unknown_one(serve: Serve) -> None:
    keys = Keys()
    served = serve_jwt(serve, keys)
    for _ in range(3):
        assert ask(served, token()).status == 200
    assert keys.asked == [ISSUER]
    new = token(key=OTHER, headers={"kid": "two"})
    assert ask(served, new).status == 401
    assert len(keys.asked) == 2
    keys.keys.append(jwk(OTHER, "two"))
    assert ask(served, new).status == 200
    assert ask(served, new).status == 200
    assert len(keys.asked) == 3


def test_many_at_once_fetch_the_keys_once(serve: Serve) -> None:
    keys = Keys()
    keys.delay = 0.2  # so that all have come before the first answer
    served = serve_jwt(serve, keys)
    text = token()
    assert [reply.status for reply in at_once(16, lambda _: ask(served, text))] == [200] * 16
    assert keys.asked == [ISSUER]


def test_keys_are_fetched_again_after_two_hours(serve: Serve) -> None:
    keys, now = Keys(), [NOW]
    api = http_api(route("GET /x", authorizer=AUTHORIZER))
    served = serve(api, keys=keys, clock=lambda: now[0])
    text = token(CLAIMS | {"exp": NOW + 100_000})
    for later, fetched in [(0, 1), (7199, 1), (7201, 2)]:
        now[0] = NOW + later
        assert ask(served, text).status == 200
        assert len(keys.asked) == fetched


def test_an_issuer_that_does_not_answer(serve: Serve) -> None:
    def unreachable(_: str) -> Any:
        raise ConnectionRefusedError("nobody there")

    served = serve_jwt(serve, unreachable)
    reply = ask(served, token())
    assert (reply.status, reply.body) == (401, b'{"message":"Unauthorized"}')
    assert served.log == [f"JWT authorizer: no keys of {ISSUER}: ConnectionRefusedError: nobody there"]


def test_an_issuer_without_https_is_not_asked(serve: Serve) -> None:
    issuer = "http://127.0.0.1:9"
    api = http_api(route("GET /x", authorizer=Jwt(issuer, ("pets",), "$request.header.Authorization")))
    served = serve(api)
    assert ask(served, token(CLAIMS | {"iss": issuer})).status == 401
    assert "is no https address" in served.log[0]
