"""The emulated AWS within this process, so that its state machines wait by a clock that tests hold.

moto's Step Functions interprets the definition. Added is what moto lacks: answers to lifecycle actions, Run Command
followed to its end, EventBridge's TestEventPattern. All calls, also those that a state machine makes, pass the gate,
so faults and the journal work as they do with a server of its own.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self, cast
from unittest import mock

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_sfn,
    state_task_service_sns,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from werkzeug.serving import BaseWSGIServer, make_server

from blueprints.local.aws import Aws
from blueprints.local.events import patterns
from blueprints.local.standins.answer import AwsError
from blueprints.local.standins.control import Control
from blueprints.local.standins.gate import Gate

from .lifecycle import Lifecycle
from .run_command import RunCommand


class Clock:
    """Seconds that state machines have waited. `pace` is how much of a second each takes here."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pace = 0.0

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds
        time.sleep(seconds * self.pace)

    @contextmanager
    def held(self) -> Generator[None]:
        """moto's interpreter waits by this clock, between the tries of a task too."""

        def wait(_: Any, env: Any, wait_seconds: float) -> None:
            self.sleep(wait_seconds)

        with (
            mock.patch.object(WaitFunction, "_wait_interval", wait),
            mock.patch.object(retrier_decl, "time", self),
        ):
            yield


class Threads:
    """A server like `blueprints.local.process.Process`, in threads of this process."""

    def __init__(self, addresses: Sequence[str], port: int, account: str, seed: int) -> None:
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        self.control = Control(seed)
        self._servers: list[BaseWSGIServer] = []
        gate = Gate(DomainDispatcherApplication(cast("Any", create_backend_app)), self.control)
        for address in addresses:
            port = self._servers[0].port if self._servers else port
            self._servers.append(_listen(address, port, gate))
        os.environ["MOTO_PORT"] = str(self.port)  # where the interpreter sends what a state machine calls
        for each in self._servers:
            threading.Thread(target=each.serve_forever, daemon=True).start()

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._servers[0].port

    def log(self) -> str:
        """Nothing: what it writes is in the test's own output."""
        return ""

    def stop(self) -> None:
        """No more requests."""
        for each in self._servers:
            each.shutdown()
            each.server_close()


def _listen(address: str, port: int, gate: Gate) -> BaseWSGIServer:
    return make_server(address, port, cast("Any", gate), threaded=True, request_handler=_Quiet)


class _Quiet(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Calls are in the journal."""


class Interpreted(Aws):
    """See above. Its state machines do as AWS's while it is entered."""

    def __init__(self, *addresses: str) -> None:
        with mock.patch("blueprints.local.aws.Process", Threads):
            super().__init__(addresses=addresses)
        self.reset()  # moto keeps one state a process
        self.clock = Clock()
        self._mended = ExitStack()
        self.lifecycle = Lifecycle(self.clock, self.region)
        self.commands = RunCommand(lambda name: self._content(name))
        threads = cast("Threads", cast("object", self._process))
        operations = cast("dict[str, Any]", threads.control.operations)
        operations |= self.lifecycle.operations
        operations |= self.commands.operations
        operations["events:TestEventPattern"] = _event_pattern

    def __enter__(self) -> Self:
        for each in (self.clock.held(), _capitals(), self._signed()):
            self._mended.enter_context(each)
        return self

    def __exit__(self, *_: object) -> None:
        self._mended.close()
        self.stop()

    @contextmanager
    def _signed(self) -> Generator[None]:
        """A state machine calls with the credentials of its role; moto's all with the same, which are nobody's."""

        def client(region: str, service: str, state_credentials: Any) -> Any:
            role = state_credentials.role_arn.rpartition("/")[2]
            return self.client(service, role, parameter_validation=False, retries={"total_max_attempts": 1})

        with ExitStack() as patches:
            for each in (state_task_service_aws_sdk, state_task_service_sfn, state_task_service_sns):
                patches.enter_context(mock.patch.object(each, "boto_client_for", client))
            yield

    def _content(self, name: str) -> dict[str, Any]:
        return json.loads(self.client("ssm").get_document(Name=name)["Content"])


_EVENT_FIELDS = ("id", "account", "source", "time", "region", "resources", "detail-type")


def _event_pattern(_: Any, given: dict[str, Any]) -> dict[str, Any]:
    """EventBridge API Reference, "TestEventPattern": the event must have these fields."""
    pattern, event = json.loads(given["EventPattern"]), json.loads(given["Event"])
    missing = [name for name in _EVENT_FIELDS if name not in event]
    if missing:
        raise AwsError("ValidationException", f"Parameter Event is not valid: no {', '.join(missing)}.")
    try:
        patterns.check(pattern)
    except ValueError as error:
        raise AwsError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
        ) from error
    return {"Result": patterns.matches(pattern, event)}


@contextmanager
def _capitals() -> Generator[None]:
    """Step Functions names parameters of `states:startExecution` in capitals; its own API, as moto calls it, not."""
    service = state_task_service_sfn.StateTaskServiceSfn
    normalise: Any = vars(service)["_normalise_parameters"]

    def lower(task: Any, parameters: dict[str, Any], *given: Any, **named: Any) -> None:
        normalise(task, parameters, *given, **named)
        for name in list(parameters):
            parameters[name[0].lower() + name[1:]] = parameters.pop(name)

    with mock.patch.object(service, "_normalise_parameters", lower):
        yield
