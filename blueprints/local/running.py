"""A stack that runs on this machine: emulated AWS, its functions in Lambda's runtime client, its APIs over HTTP.

with Running(Stack.read(Path("templates/example/crud-api.yaml"), …)) as running:
    requests.get(running.urls["HttpApi"] + "/resource")
"""

from __future__ import annotations

import re
import shlex
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .aws import Aws
from .deployment import Deployment, deploy
from .events import Sources
from .functions import Function, FunctionClosed, FunctionSpec, RequestTooLarge, TooManyRequests
from .http import Answer, Api, Front, apis
from .http.api import ANY, DEFAULT, Iam, Jwt, Route
from .issuer import Issuer
from .specs import KIND, specs
from .stack import Asset, Stack

Log = Callable[[str, str], None]

# What the front serves of an API, besides the API itself.
_SERVED = ("AWS::ApiGateway::", "AWS::ApiGatewayV2::")


class Running:
    """Everything that was started is gone after `close`, and when this process ends.

    `log(name, line)` takes the lines of functions and APIs by their logical ids, from several threads. `port` is that
    of the first API, 0 is any. `aws` is a server that is starting already; it ends with the rest. Raises
    BlueprintError for a template that cannot run here, PortError for a taken port.
    """

    def __init__(
        self,
        stack: Stack,
        aws: Aws | None = None,
        *,
        port: int = 0,
        log: Log = lambda _, __: None,
        workers: int = 10,
        keys: Callable[[str], Any] | None = None,
    ) -> None:
        self.stack = stack
        self.issuer = Issuer()
        self.functions: dict[str, Function] = {}
        self._specs: dict[str, FunctionSpec] = {}
        self.apis: list[Api] = []
        self._log, self._workers = log, workers
        self._folder = tempfile.TemporaryDirectory(prefix="blueprints-local-")
        self.sources: Sources | None = None
        self._front: Front | None = None
        self._closing = threading.Lock()
        self.aws = aws or Aws(account=stack.place.account, region=stack.place.region)
        try:
            self.deployment: Deployment = deploy(stack, self.aws)
            self._start_functions()
            self.sources = Sources(stack, self.aws, self.functions, log=log)
            self.apis = apis(self._api_resources(), {name: each.ref for name, each in stack.physical.items()})
            self._front = Front(
                self.apis,
                self._invoke,
                port=port,
                principals=self.principals,
                keys=keys or self.issuer.keys,
                log=lambda line: log("api", line),
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything: first nobody can call, then the functions go, then what they call."""
        with self._closing:
            if self._front:
                self._front.close()
                self._front = None
            if self.sources:
                self.sources.close()
            for function in self.functions.values():
                function.close()
            self.functions.clear()
            self.aws.stop()
            self._folder.cleanup()

    # What runs

    @property
    def urls(self) -> dict[str, str]:
        """Where each API answers, stage included, by its logical id."""
        return {each.logical_id: self._front.url(each) for each in self.apis} if self._front else {}

    @property
    def principals(self) -> Mapping[str, str]:
        """Access keys with their secrets that may sign requests to APIs with AWS_IAM."""
        operator = self.aws.credentials()
        return {operator["AWS_ACCESS_KEY_ID"]: operator["AWS_SECRET_ACCESS_KEY"]}

    @property
    def not_run(self) -> Counter[str]:
        """Types of resources that nothing here carries out, with their number."""
        served: set[str] = self.sources.served if self.sources else set()
        left = {name: kind for name, kind in self.deployment.not_run.items() if name not in served}
        return Counter(kind for kind in left.values() if not kind.startswith(_SERVED))

    def calls(self) -> Iterator[str]:
        """For each API a `curl` command that gets an answer."""
        for api in self.apis:
            route = next(
                (each for each in api.routes if each.method in ("GET", ANY) and each.path != DEFAULT), None
            )
            if route is not None:
                path = re.sub(r"\{[^}]+\}", "1", route.path)
                yield shlex.join(["curl", "-i", *self._signed(route), f"{self.urls[api.logical_id]}{path}"])

    def _signed(self, route: Route) -> Iterator[str]:
        """What curl needs to be let in."""
        if isinstance(route.authorizer, Iam):
            (key, secret), *_ = self.principals.items()
            yield from (
                "--aws-sigv4",
                f"aws:amz:{self.stack.place.region}:execute-api",
                "--user",
                f"{key}:{secret}",
            )
        if isinstance(route.authorizer, Jwt):
            token = self.issuer.token(route.authorizer.issuer, route.authorizer.audience)
            yield from ("-H", f"Authorization: Bearer {token}")

    # Functions

    def code(self) -> list[Path]:
        """Where the code of functions lies that is not in the template."""
        found = [self.stack.code(name) for name in self.functions]
        return [each.path for each in found if isinstance(each, Asset)]

    def _start_functions(self) -> None:
        self._specs = specs(self.stack, Path(self._folder.name))
        for name, spec in self._specs.items():
            self.functions[name] = Function(
                spec,
                endpoint_url=self.aws.endpoint,
                log=self._log,
                workers=self._workers,
                credentials=self.aws.credentials(self._role(name)),
            )
            self.functions[name].warm()

    def _role(self, name: str) -> str:
        """The role of a function, by whose name the journal tells who called."""
        return str(self.stack.get(name, "Properties.Role")).rpartition("/")[2]

    def replace(self, stack: Stack) -> list[str]:
        """Run the functions of a changed template; lines that say what changed.

        Resources and APIs stay as they are: what they need is a new start, which a line says too.
        """
        stack.physical.update(self.stack.physical)
        told: list[str] = []
        known = [name for name in stack.resources(KIND) if name in self.functions]
        for name, spec in specs(stack, Path(self._folder.name), known).items():
            if spec != self._specs[name]:
                self.functions[name].replace(spec)
                self._specs[name] = spec
                told.append(f"{name}: reloaded")
        if _others(stack) != _others(self.stack):
            told.append("more than functions has changed; start again to see it")
        self.stack = stack
        return told

    def _invoke(self, arn: str, event: bytes) -> Answer:
        function = self._by_arn(arn)
        if function is None:
            return Answer(b'{"message":"no such function"}', error="ResourceNotFoundException")
        try:
            done = function.invoke(event)
        except TooManyRequests:
            return Answer(b"", throttled=True)
        except (RequestTooLarge, FunctionClosed) as error:
            return Answer(str(error).encode(), error=type(error).__name__)
        return Answer(done.payload, error=done.error)

    def _by_arn(self, arn: str) -> Function | None:
        """The function of an ARN, which may name a version or an alias."""
        names = {self.stack.physical[name].attributes["Arn"]: name for name in self.functions}
        return self.functions.get(names.get(":".join(arn.split(":")[:7]), ""))

    def _api_resources(self) -> dict[str, Any]:
        """The resolved resources that make up APIs."""
        served = [name for name, kind in self.stack.resources().items() if kind.startswith(_SERVED)]
        return {
            "Resources": {
                name: {"Type": self.stack.resources()[name], "Properties": self.stack.properties(name)}
                for name in served
            }
        }


def _others(stack: Stack) -> dict[str, Any]:
    """All resources, as written; of functions that they are there."""
    return {name: kind if kind == KIND else stack.resource(name) for name, kind in stack.resources().items()}
