"""An issuer's public keys: found by OpenID Connect discovery, kept for two hours.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html (the cache) and
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (1,500 ms, 150,000 bytes).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .reading import items, mapping

Jwks = Mapping[str, Any]

_LIFETIME = 7200
_TIMEOUT = 1.5
_LARGEST = 150_000


def discover(issuer: str) -> Jwks:
    """The issuer's JSON Web Key Set. Raises OSError or ValueError."""
    document = _fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
    return _fetch(str(document.get("jwks_uri")))


def _fetch(url: str) -> Jwks:
    from urllib.request import urlopen

    if not url.startswith("https://"):
        raise ValueError(f"{url} is no https address")
    with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - https, checked above
        text = answer.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"{url} has more than {_LARGEST} bytes")
    return mapping(json.loads(text))


class KeyCache:
    """Key sets by issuer. An unknown key id has the set fetched once more, as the keys may have been changed."""

    def __init__(self, fetch: Callable[[str], Jwks], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._sets: dict[str, tuple[float, Jwks]] = {}

    def find(self, issuer: str, kid: str) -> Mapping[str, Any] | None:
        """The key as a JWK, None if the issuer has no such key. Raises whatever the fetch raises."""
        known = self._sets.get(issuer)
        if known and self._clock() < known[0] + _LIFETIME and (found := _named(known[1], kid)):
            return found
        with self._lock:
            if self._sets.get(issuer) is known:  # nobody has fetched while this thread waited
                self._sets[issuer] = (self._clock(), self._fetch(issuer))
            return _named(self._sets[issuer][1], kid)


def _named(keys: Jwks, kid: str) -> Mapping[str, Any] | None:
    return next((mapping(key) for key in items(keys.get("keys")) if mapping(key).get("kid") == kid), None)
