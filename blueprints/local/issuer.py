"""An issuer of tokens for this machine: it stands for the one that an API's JWT authorizer names.

The front judges tokens as API Gateway does, by the issuer's public keys. Here these are of a key pair that is made at
start and kept nowhere, so that whoever sees this run's output can call the API, and nobody else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

_LIFE = 12 * 3600  # seconds: a day's work
_KEY = "local"


class Issuer:
    """Signs tokens with RS256, the only kind of key that API Gateway takes is RSA."""

    def keys(self, _: str) -> Any:
        """The JSON Web Key Set of any issuer."""
        from jwt.algorithms import RSAAlgorithm

        public = json.loads(RSAAlgorithm.to_jwk(self._private.public_key()))
        return {"keys": [{**public, "kid": _KEY, "use": "sig", "alg": "RS256"}]}

    def token(self, issuer: str, audience: Sequence[str], **claims: Any) -> str:
        """A token for one of the audiences, from now on for twelve hours."""
        import jwt

        now = int(time.time())
        told = {
            "iss": issuer,
            "aud": audience[0] if audience else None,
            "sub": "local",
            "iat": now,
            "exp": now + _LIFE,
        }
        given = {name: value for name, value in {**told, **claims}.items() if value is not None}
        return jwt.encode(given, self._private, algorithm="RS256", headers={"kid": _KEY})

    @cached_property
    def _private(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
