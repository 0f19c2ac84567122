"""Faults on demand: which calls fail, how, and how many have."""

from __future__ import annotations

import random
import threading
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .answer import AwsError
from .request import Call

KINDS = ("throttle", "unavailable", "capacity", "error", "delay", "drop", "lose")

# What a service answers to a caller who is too fast: code, HTTP status. Each service's API Reference, "Common
# Errors", and: EC2 "Error codes", S3 "Error responses", DynamoDB "Error handling", Lambda "Invoke".
_THROTTLED = {
    "apigateway": ("TooManyRequestsException", 429),
    "apigatewayv2": ("TooManyRequestsException", 429),
    "autoscaling": ("Throttling", 400),
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "lambda": ("TooManyRequestsException", 429),
    "s3": ("SlowDown", 503),
}
_THROTTLED_BY_PROTOCOL = {
    "query": ("Throttling", 400),
    "rest-xml": ("Throttling", 400),
    "rest-json": ("ThrottlingException", 429),
}

# The same for a service that fails by itself.
_FAILED = {
    "dynamodb": ("InternalServerError", 500),
    "ec2": ("Unavailable", 503),
    "lambda": ("ServiceException", 500),
    "s3": ("InternalError", 500),
    "ssm": ("InternalServerError", 500),
}


@dataclass
class Rule:
    """Calls that match `api` (`dynamodb:PutItem`, `ec2:*`) fail: the next `count` of them, or a share of all.

    Kinds: throttle, unavailable and capacity answer what the service documents for that; error answers `code`,
    `message` and `status`; delay waits `seconds` and goes on; drop closes the connection before anything is done,
    lose closes it when all is done and only the answer is missing. `injected` counts what was done.
    """

    api: str
    kind: str
    count: int | None = None
    rate: float = 1.0
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    status: int = 400
    injected: int = field(default=0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}; write one of {', '.join(KINDS)}")
        if self.kind == "error" and not self.code:
            raise ValueError("an error without code; say which")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"a rate of {self.rate}; write 0 to 1")

    def error(self, call: Call) -> AwsError:
        """What the service answers."""
        if self.kind == "throttle":
            fallback = _THROTTLED_BY_PROTOCOL.get(call.protocol, ("ThrottlingException", 400))
            code, status = _THROTTLED.get(call.service, fallback)
            return AwsError(self.code or code, self.message or "Rate exceeded", status)
        if self.kind == "unavailable":
            code, status = _FAILED.get(call.service, ("InternalFailure", 500))
            return AwsError(self.code or code, self.message or "The service failed; try again.", status)
        if self.kind == "capacity":
            # EC2, "Error codes": a server error, so the SDKs try again.
            words = "We currently do not have sufficient capacity of the requested type."
            return AwsError("InsufficientInstanceCapacity", self.message or words, 500)
        return AwsError(self.code, self.message or "injected", self.status)


class Faults:
    """The rules in force. The first that matches a call and draws it decides; a seed makes draws repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def add(self, plain: dict[str, Any]) -> None:
        """One more rule. Raises ValueError or TypeError for settings that make none."""
        rule = Rule(**plain)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """No rule is in force, and draws begin anew."""
        with self._lock:
            self._rules.clear()
            self._random.seed(self._seed)

    def draw(self, call: Call) -> Rule | None:
        """The rule that makes this call fail, if one does; it counts as injected."""
        with self._lock:
            for rule in self._rules:
                if rule.count != 0 and fnmatchcase(call.api, rule.api) and self._random.random() < rule.rate:
                    rule.count = None if rule.count is None else rule.count - 1
                    rule.injected += 1
                    return rule
        return None

    def plain(self) -> list[dict[str, Any]]:
        """The rules with their counts, for whoever asks over HTTP."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]
