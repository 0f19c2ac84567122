"""Who may call: AWS principals by signature, bearers of tokens by issuer, audience and time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from blueprints.local.issuer import Issuer
from blueprints.local.running import Running

from .conftest import UNTHROTTLED, Render

ISSUER, AUDIENCE = "https://issuer.example.com/pool", "app"


@pytest.fixture(scope="module")
def signed(render: Render) -> Iterator[Running]:
    with Running(render({"auth": "iam", **UNTHROTTLED})) as made:
        yield made


@pytest.fixture(scope="module")
def bearer(render: Render) -> Iterator[Running]:
    given = {"JwtIssuer": ISSUER, "JwtAudience": f"{AUDIENCE},other"}
    with Running(render({"auth": "jwt", **UNTHROTTLED}, given)) as made:
        yield made


def by_curl(running: Running, user: str, *arguments: str) -> int:
    url = f"{running.urls['HttpApi']}/resource/one"
    command = [
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--aws-sigv4",
        "aws:amz:us-east-1:execute-api",
    ]
    done = subprocess.run(
        [*command, "--user", user, *arguments, url], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_signature_of_a_known_key_lets_in(signed: Running) -> None:
    (key, secret), *_ = signed.principals.items()
    assert by_curl(signed, f"{key}:{secret}", "-X", "PUT", "-d", "hello") == 201
    assert by_curl(signed, f"{key}:{secret}") == 200


def test_no_signature_another_secret_and_another_key_do_not(signed: Running) -> None:
    (key, secret), *_ = signed.principals.items()
    assert by_curl(signed, f"{key}:another") == 403
    assert by_curl(signed, f"AKIAAAAAAAAAAAAAAAAA:{secret}") == 403
    bare = requests.get(f"{signed.urls['HttpApi']}/resource/one", timeout=30)
    assert (bare.status_code, bare.json()) == (403, {"message": "Forbidden"})


def ask(running: Running, token: str | None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{running.urls['HttpApi']}/resource/one", headers=headers, timeout=30)


def test_a_good_token_lets_in(bearer: Running) -> None:
    assert ask(bearer, bearer.issuer.token(ISSUER, [AUDIENCE])).status_code == 404
    assert ask(bearer, bearer.issuer.token(ISSUER, ["other"])).status_code == 404


def expired() -> dict[str, Any]:
    return {"exp": int(time.time()) - 600}


def early() -> dict[str, Any]:
    return {"nbf": int(time.time()) + 600}


@pytest.mark.parametrize(
    ("issuer", "audience", "claims"),
    [
        (ISSUER, AUDIENCE, expired),
        (ISSUER, AUDIENCE, early),
        (ISSUER, "stranger", dict),
        ("https://issuer.example.com/other", AUDIENCE, dict),
    ],
    ids=["expired", "early", "wrong audience", "wrong issuer"],
)
def test_a_token_for_another_time_place_or_audience_does_not(
    bearer: Running, issuer: str, audience: str, claims: Any
) -> None:
    refused = ask(bearer, bearer.issuer.token(issuer, [audience], **claims()))
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})


def test_no_token_a_forged_and_an_unsigned_one_do_not(bearer: Running) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600}
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "local"})
    for token in (None, "nonsense", Issuer().token(ISSUER, [AUDIENCE]), unsigned):
        assert ask(bearer, token).status_code == 401
