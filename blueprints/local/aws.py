"""The emulated AWS, as those who use it see it: a server process, its clients, faults and journal.

    with Aws() as aws:
        aws.client("s3").create_bucket(Bucket="photos")
        subprocess.run([...], env={**os.environ, **aws.environment("agent")})
        aws.faults.throttle("dynamodb:PutItem", count=3)
        assert not aws.unimplemented()

The process starts at once and answers a second later; the first question waits for it. It ends with `stop`, and
with its parent, however that ends. moto loads a service when it is first called, EC2 and SSM in about a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib import error, request

from .faults import Faults
from .place import ACCOUNT, REGION
from .process import AwsDownError, Process

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class CallRecord:
    """One call that the server has answered. `principal` is the name whose credentials signed it, `ak` for what
    a state machine calls, empty where there is no signature.

    `status` is the answer's HTTP status, 0 where the connection was closed; `injected` the kind of fault, or empty.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    principal: str
    region: str
    time: float
    status: int
    injected: str

    @property
    def api(self) -> str:
        """Service and operation as faults name them."""
        return f"{self.service}:{self.operation}"


class Aws:
    """One server process. `addresses` are listened on besides loopback, all with the same port."""

    def __init__(
        self,
        *,
        account: str = ACCOUNT,
        region: str = REGION,
        addresses: Sequence[str] = (),
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self.account = account
        self.region = region
        self._process = Process([_LOOPBACK, *addresses], port, account, seed)
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._principals: dict[str, str] = {}
        self._lock = threading.Lock()
        self.faults = Faults(self.control)

    def __enter__(self) -> Aws:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port, once the server listens. Raises AwsDownError if it does not come to that."""
        return self._process.port

    @property
    def endpoint(self) -> str:
        """The URL for clients on this machine."""
        return self.endpoint_at(_LOOPBACK)

    def endpoint_at(self, address: str) -> str:
        """The URL for clients that reach the server at another of its addresses."""
        return f"http://{address}:{self.port}"

    def log(self) -> str:
        """What the server has written to standard error."""
        return self._process.log()

    def stop(self) -> None:
        """End the process and free its port; nothing happens if that was done."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._process.stop()

    # Clients

    def credentials(self, principal: str = "operator") -> dict[str, str]:
        """An access key of its own for a name, so that `calls` can tell who called."""
        # moto takes keys of 20 capital letters and digits.
        digest = hashlib.sha256(principal.encode()).hexdigest()
        key = "AKIA" + "".join("ABCDEFGHIJKLMNOP"[int(digit, 16)] for digit in digest[:16])
        self._principals[key] = principal
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "emulated"}

    def environment(self, principal: str = "operator", address: str = _LOOPBACK) -> dict[str, str]:
        """Variables with which the AWS CLI and the SDKs reach this server and nothing else."""
        return {
            **self.credentials(principal),
            "AWS_ENDPOINT_URL": self.endpoint_at(address),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, principal: str = "operator", **options: Any) -> Any:
        """A boto3 client; options are botocore's Config. Equal ones are one client."""
        chosen = f"{service} {principal} {options!r}"
        with self._lock:
            if chosen not in self._clients:
                self._clients[chosen] = self._new_client(service, principal, options)
            return self._clients[chosen]

    def _new_client(self, service: str, principal: str, options: dict[str, Any]) -> Any:
        import boto3  # a fifth of a second; only who calls pays it
        from botocore.config import Config

        boto: Any = boto3
        # One session, since it keeps the models of services that it has read.
        self._session = self._session or boto.session.Session(region_name=self.region)
        keys = {name.lower(): value for name, value in self.credentials(principal).items()}
        config = Config(proxies={}, **options)
        return self._session.client(service, endpoint_url=self.endpoint, config=config, **keys)

    # What the server has beside AWS

    def calls(self, *apis: str) -> list[CallRecord]:
        """Calls in the order of their answers; of some operations only, such as `dynamodb:PutItem`."""
        found = [self._record(plain) for plain in self.control("GET", "calls")]
        return [each for each in found if not apis or each.api in apis]

    def _record(self, plain: dict[str, Any]) -> CallRecord:
        key = plain.pop("access_key")
        return CallRecord(principal=self._principals.get(key) or key, **plain)

    def unimplemented(self) -> list[str]:
        """Operations that were called and nobody here carries out, with the reason, in order of the first call."""
        found = (f"{each['api']}: {each['why']}" for each in self.control("GET", "gaps"))
        return list(dict.fromkeys(found))

    def signals(self) -> list[dict[str, Any]]:
        """What waits for cloudformation:SignalResource, and the signals that it has had."""
        return self.control("GET", "signals")

    def expect_signals(self, stack: str, resource: str, count: int) -> None:
        """A resource of a stack waits, from now on, for so many signals."""
        self.control("POST", "signals", {"stack": stack, "resource": resource, "count": count})

    def limit_launches(self, instance_type: str, instances: int) -> None:
        """EC2 has so many instances of a type for Auto Scaling, those that run included; groups try again at once."""
        self.control("POST", "launches", {"instance_type": instance_type, "instances": instances})

    def forward(self, api: str, url: str) -> None:
        """Let the server at `url` carry out an operation, such as `lambda:Invoke`."""
        self.control("POST", "forwards", {api: url})

    def reset(self) -> None:
        """Empty the account, the journal and the faults. Operations stay forwarded."""
        self._ask("POST", "/moto-api/reset", None)
        self.control("POST", "reset")

    def control(self, method: str, what: str, given: Any = None) -> Any:
        """One request to the gate's own interface; see `standins/control.py`."""
        return json.loads(self._ask(method, f"/compute-blueprints/{what}", given))

    def _ask(self, method: str, path: str, given: Any) -> bytes:
        body = None if given is None else json.dumps(given).encode()
        headers = {"Content-Type": "application/json"}
        asked = request.Request(self.endpoint + path, body, headers, method=method)  # noqa: S310 - our own
        try:
            with request.build_opener(request.ProxyHandler({})).open(asked, timeout=60) as answer:
                return answer.read()
        except error.HTTPError as refusal:
            raise ValueError(json.loads(refusal.read())["message"]) from None
        except OSError as failure:
            raise AwsDownError(
                f"the emulated AWS does not answer ({failure}): {self.log()[-2000:]}"
            ) from failure
