"""The switch for faults of the emulated AWS, from the side of those who want them."""

from __future__ import annotations

from typing import Any, Protocol


class Control(Protocol):
    """One request to the gate's own interface: method, what, and what is given as JSON."""

    def __call__(self, method: str, what: str, given: Any = None) -> Any: ...


class Faults:
    """The one switch for faults. `api` is `service:Operation` in boto3's words, with `*` and `?` as in file names.

    Of matching calls the next `count` fail, or a share of `rate`, or all. SDKs try some faults again by themselves.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def throttle(self, api: str, *, count: int | None = None, rate: float = 1.0) -> None:
        """Calls are too many; the service answers with the code that it documents."""
        self._add(api=api, kind="throttle", count=count, rate=rate)

    def unavailable(self, api: str, *, count: int | None = None, rate: float = 1.0) -> None:
        """The service answers with a status of 500 or above."""
        self._add(api=api, kind="unavailable", count=count, rate=rate)

    def no_capacity(
        self, api: str = "ec2:RunInstances", *, count: int | None = None, rate: float = 1.0
    ) -> None:
        """EC2 has no instances of the type that is asked for: InsufficientInstanceCapacity."""
        self._add(api=api, kind="capacity", count=count, rate=rate)

    def error(
        self,
        api: str,
        code: str,
        *,
        message: str = "",
        status: int = 400,
        count: int | None = None,
        rate: float = 1.0,
    ) -> None:
        """Any other error of the service: `AccessDeniedException`."""
        self._add(api=api, kind="error", code=code, message=message, status=status, count=count, rate=rate)

    def delay(self, api: str, seconds: float, *, count: int | None = None, rate: float = 1.0) -> None:
        """The answer comes late."""
        self._add(api=api, kind="delay", seconds=seconds, count=count, rate=rate)

    def drop(self, api: str, *, count: int | None = None, rate: float = 1.0) -> None:
        """The connection closes before anything is done."""
        self._add(api=api, kind="drop", count=count, rate=rate)

    def lose(self, api: str, *, count: int | None = None, rate: float = 1.0) -> None:
        """The connection closes when all is done; only the caller does not learn it."""
        self._add(api=api, kind="lose", count=count, rate=rate)

    def _add(self, **rule: Any) -> None:
        self._control("POST", "faults", rule)

    def injected(self) -> dict[str, int]:
        """How many calls have failed, by `api kind`: {"dynamodb:PutItem throttle": 3}."""
        counts: dict[str, int] = {}
        for rule in self._control("GET", "faults"):
            name = f"{rule['api']} {rule['kind']}"
            counts[name] = counts.get(name, 0) + rule["injected"]
        return counts

    def clear(self) -> None:
        """Nothing fails any more, and the counts are gone."""
        self._control("DELETE", "faults")
