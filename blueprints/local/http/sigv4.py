"""Signature Version 4, checked by making it again with botocore's signer.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The payload is
always hashed: UNSIGNED-PAYLOAD is S3's. The messages of REST APIs are those of
https://repost.aws/knowledge-center/api-gateway-iam-sigv4-mismatch; HTTP APIs say "Forbidden" to everything.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from .call import Call, Signer
from .message import Headers, Request
from .refusals import Refusal

_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "execute-api"
_SKEW = 300  # seconds


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature. `expires` in seconds after `timestamp`, which is YYYYMMDD'T'HHMMSS'Z'."""

    credential: tuple[str, ...]
    signed: tuple[str, ...]
    signature: str
    timestamp: str
    expires: float
    query: str


def signer(call: Call, principals: Mapping[str, str]) -> Signer:
    """Who signed. `principals` maps access key ids to secrets. Raises Refusal."""
    claim = _in_header(call.request) or _in_query(call.request)
    if claim is None:
        raise Refusal("unsigned", "The request bears no signature")
    access_key = claim.credential[0]
    _check_scope(claim, call.api.region)
    _check_time(claim, call.time)
    secret = principals.get(access_key)
    if secret is None:
        raise _refusal(
            "The security token included in the request is invalid.", "UnrecognizedClientException"
        )
    if not hmac.compare_digest(_signature(call.request, claim, secret), claim.signature):
        words = "The request signature we calculated does not match the signature you provided."
        advice = "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        raise _refusal(f"{words} {advice}", "InvalidSignatureException")
    return Signer(access_key, call.api.account)


def _refusal(words: str, error_type: str) -> Refusal:
    return Refusal("signature", words, error_type=error_type)


def _incomplete(words: str) -> Refusal:
    return _refusal(words, "IncompleteSignatureException")


def _in_header(request: Request) -> _Claim | None:
    value = request.header("authorization")
    if value is None:
        return None
    name, _, rest = value.partition(" ")
    if name != _ALGORITHM:
        raise _incomplete(f"Authorization header requires '{_ALGORITHM}'.")
    parts = dict(re.findall(r"(\w+)=([^,\s]+)", rest))
    if missing := [each for each in ("Credential", "SignedHeaders", "Signature") if each not in parts]:
        raise _incomplete(f"Authorization header requires '{missing[0]}' parameter.")
    date = request.header("x-amz-date")
    if date is None:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return _claim(parts["Credential"], parts["SignedHeaders"], parts["Signature"], date, _SKEW, request.query)


def _in_query(request: Request) -> _Claim | None:
    pairs = [tuple(each.partition("=")[::2]) for each in request.query.split("&")]
    values = {name: unquote(value) for name, value in pairs}
    if values.get("X-Amz-Algorithm") != _ALGORITHM:
        return None
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires")
    if missing := [each for each in names if each not in values]:
        raise _incomplete(f"AWS query-string parameters must include '{missing[0]}'.")
    credential, signed, signature, date, expires = (values[each] for each in names)
    if not expires.isdigit():
        raise _incomplete("X-Amz-Expires should be a number")
    query = "&".join(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature")
    return _claim(credential, signed, signature, date, float(expires), query)


def _claim(credential: str, signed: str, signature: str, date: str, expires: float, query: str) -> _Claim:
    if not re.fullmatch(r"\d{8}T\d{6}Z", date):
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{date}'.")
    names = tuple(signed.split(";"))
    if "host" not in names:
        raise _incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return _Claim(tuple(credential.split("/")), names, signature, date, expires, query)


def _check_scope(claim: _Claim, region: str) -> None:
    wanted = (claim.timestamp[:8], region, _SERVICE, "aws4_request")
    if claim.credential[1:] != wanted:
        said = "/".join(claim.credential[1:])
        raise _refusal(
            f"Credential should be scoped to '{'/'.join(wanted)}', not '{said}'.", "InvalidSignatureException"
        )


def _check_time(claim: _Claim, now: float) -> None:
    try:
        signed = datetime.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{claim.timestamp}'.") from None
    if now > signed + claim.expires:
        raise _refusal(f"Signature expired: {claim.timestamp} is now too old.", "InvalidSignatureException")
    if signed > now + _SKEW:
        raise _refusal(f"Signature not yet current: {claim.timestamp}.", "InvalidSignatureException")


def _signature(request: Request, claim: _Claim, secret: str) -> str:
    # Here, so that an API without IAM needs no botocore. It brings no types.
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.compat import HTTPHeaders
    from botocore.credentials import Credentials

    class Again(SigV4Auth):
        """Signs the headers that the client has signed, where botocore would choose for itself."""

        def headers_to_sign(self, request: Any) -> Any:
            found = HTTPHeaders()
            for name, value in headers:
                found[name.lower()] = value
            return found

    headers: Headers = tuple(each for each in request.headers if each[0].lower() in claim.signed)
    access_key, _, region, *_ = claim.credential
    query = f"?{claim.query}" if claim.query else ""
    copy: Any = AWSRequest(request.method, f"http://host{request.path}{query}", data=request.body)
    copy.context["timestamp"] = claim.timestamp
    again: Any = Again(Credentials(access_key, secret), _SERVICE, region)
    return again.signature(again.string_to_sign(copy, again.canonical_request(copy)), copy)
