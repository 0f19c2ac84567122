"""Token buckets: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html.

A token is a request. A stage's default limits each route by itself, as they do each method of a REST API:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .api import Route, Stage, Throttle


@dataclass
class _Bucket:
    tokens: float
    since: float


class Throttles:
    """The buckets of one API. A limit that is half given has the other half unlimited."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def admit(self, stage: Stage, route: Route) -> bool:
        limit = stage.limit(route)
        if limit is None or limit.rate is None:
            return limit is None or limit.burst != 0
        with self._lock:
            return self._take((stage.name, route.key), limit, limit.rate)

    def _take(self, key: tuple[str, str], limit: Throttle, rate: float) -> bool:
        now = self._clock()
        size = max(1.0, rate) if limit.burst is None else limit.burst
        bucket = self._buckets.setdefault(key, _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + max(0.0, now - bucket.since) * rate)
        bucket.since = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
