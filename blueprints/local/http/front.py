"""The front: a server for each API of a stack."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from .api import DEFAULT, Api
from .gateway import Gateway, Invoke, Surroundings
from .keys import Jwks, KeyCache, discover
from .server import Server
from .workers import Workers

_log = logging.getLogger(__name__).info


class PortError(OSError):
    """A port that cannot be had; the message says which, and why."""


class Front:
    """Serves the given APIs from now until `close()`; also a context manager.

    `invoke(function_arn, event)` runs a function; an exception stands for an invocation that Lambda refuses.
    The first API has `port`, the others the next ones; with 0 each has a free one. `principals` maps access key ids
    to secrets, for AWS_IAM; `keys` gives the JSON Web Key Set of an issuer. `clock` gives seconds since the epoch.
    `log` takes a line for each request that a stage's access log format asks for, one for each defect, and one for
    each invocation or key set that failed. Raises PortError if a port is taken.
    """

    def __init__(
        self,
        apis: Sequence[Api],
        invoke: Invoke,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        principals: Mapping[str, str] | None = None,
        keys: Callable[[str], Jwks] = discover,
        clock: Callable[[], float] = time.time,
        log: Callable[[str], None] = _log,
    ) -> None:
        self._host = host
        self._workers = Workers()
        around = Surroundings(invoke, principals or {}, KeyCache(keys, clock), self._workers, clock, log)
        self._servers: dict[str, Server] = {}
        for index, api in enumerate(apis):
            number = port + index if port else 0
            try:
                self._servers[api.logical_id] = Server((host, number), Gateway(api, around), log)
            except (OSError, OverflowError) as error:  # the latter beyond the last port
                self.close()
                why = error.strerror if isinstance(error, OSError) else "there is none of that number"
                raise PortError(f"port {number}, for {api.logical_id}: {why}; choose another") from error

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, api: Api) -> str:
        """Where an API answers, with its stage: `http://127.0.0.1:8080` or `http://127.0.0.1:8080/Prod`."""
        base = f"http://{self._host}:{self._servers[api.logical_id].port}"
        names = [stage.name for stage in api.stages]
        return base if DEFAULT in names or not names else f"{base}/{names[0]}"

    def close(self) -> None:
        """Ends all servers and their connections. A second call does nothing."""
        while self._servers:
            self._servers.popitem()[1].close()
        self._workers.close()
