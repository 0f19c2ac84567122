"""JWT authorizers of HTTP APIs.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html (what is checked:
RSA signature, kid, iss, aud or else client_id, exp, nbf, iat, scope or scp) and .../http-api-troubleshooting-jwt.html
(the www-authenticate header). AWS publishes one error_description, of the audience; the others are in its manner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from .api import Jwt
from .call import Bearer, Call
from .keys import KeyCache
from .message import Request
from .reading import texts
from .refusals import Refusal

_ALGORITHMS = ("RS256", "RS384", "RS512")


def bearer(
    call: Call, authorizer: Jwt, scopes: tuple[str, ...], keys: KeyCache, log: Callable[[str], None]
) -> Bearer:
    """Whom the token names. Raises Refusal: 401 for a token that does not hold, 403 for one without a scope."""
    token = _token(call.request, authorizer.source)
    if not token:
        raise Refusal("unauthorized", "no token", (("www-authenticate", "Bearer"),))
    claims = _verified(token, authorizer, keys, log)
    _check_claims(claims, authorizer, call.time)
    held = _scopes(claims)
    if scopes and not set(scopes) & set(held):
        raise _challenge(
            "forbidden", "insufficient_scope", "the token does not have a required scope", scopes
        )
    return Bearer(claims, held if scopes else None)


def _token(request: Request, source: str) -> str:
    place, _, name = source.removeprefix("$request.").partition(".")
    sent = (
        parse_qs(request.query).get(name, [""])[0] if place == "querystring" else request.header(name.lower())
    )
    scheme, _, rest = (sent or "").strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else (sent or "").strip()


def _challenge(name: str, error: str, words: str, scopes: tuple[str, ...] = ()) -> Refusal:
    value = f'Bearer scope="{" ".join(scopes)}" error="{error}" error_description="{words}"'
    return Refusal(name, words, (("www-authenticate", value),))


def _invalid(words: str) -> Refusal:
    return _challenge("unauthorized", "invalid_token", words)


def _verified(token: str, authorizer: Jwt, keys: KeyCache, log: Callable[[str], None]) -> Mapping[str, Any]:
    """The claims of a token with a good signature; nothing of them is judged yet."""
    import jwt  # brings cryptography, which an API without tokens does not need

    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise _invalid("the token is malformed") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in _ALGORITHMS:
        raise _invalid("the token has an unsupported signing algorithm")
    if not isinstance(kid, str):
        raise _invalid("the token does not have a key id")
    try:
        key = keys.find(authorizer.issuer, kid)
    except Exception as error:  # whatever the fetch met, no key means no entry
        log(f"JWT authorizer: no keys of {authorizer.issuer}: {type(error).__name__}: {error}")
        raise _invalid("the issuer's keys cannot be fetched") from None
    if key is None or key.get("kty") != "RSA" or key.get("use", "sig") != "sig":
        raise _invalid("the token has an unknown key id")
    try:
        options: Any = {"verify_signature": True, **dict.fromkeys(_LEFT_TO_US, False)}
        return jwt.decode(token, jwt.PyJWK(dict(key), algorithm), [algorithm], options)
    except jwt.PyJWTError:
        raise _invalid("the token has an invalid signature") from None


# Judged below, by the clock of the front and in the words of API Gateway.
_LEFT_TO_US = (
    "verify_exp",
    "verify_nbf",
    "verify_iat",
    "verify_aud",
    "verify_iss",
    "verify_sub",
    "verify_jti",
)


def _check_claims(claims: Mapping[str, Any], authorizer: Jwt, now: float) -> None:
    if claims.get("iss") != authorizer.issuer:
        raise _invalid("the token does not have a valid issuer")
    # client_id counts only where there is no aud.
    said = texts(claims["aud"]) if claims.get("aud") is not None else texts(claims.get("client_id"))
    if not set(said) & set(authorizer.audience):
        raise _invalid("the token does not have a valid audience")
    if not _time(claims, "exp", otherwise=0.0) > now:
        raise _invalid("the token has expired")
    for name in ("nbf", "iat"):
        if not _time(claims, name, otherwise=now) <= now:
            raise _invalid("the token is not valid yet")


def _time(claims: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = claims.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(f"the token does not have a valid {name}")
    return float(value)


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """`scope` separated by blanks, or `scp` as text or list."""
    value = claims.get("scope", claims.get("scp"))
    return tuple(value.split()) if isinstance(value, str) else texts(value)
