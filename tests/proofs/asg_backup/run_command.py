"""Systems Manager's Run Command, which moto ends at once: commands go to agents and are followed to their end.

Sources: Systems Manager API Reference, "SendCommand", "GetCommandInvocation", "CancelCommand"; User Guide,
"Understanding command statuses". Output is cut after 24,000 characters, as GetCommandInvocation documents it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from blueprints.local.standins.answer import AwsError

from .instance import delivered

_SHOWN = 24_000


@dataclass
class State:
    """How a command fares on an instance."""

    status: str
    code: int = -1
    output: str = ""
    errors: str = ""


class Agent(Protocol):
    """What an instance does with a command."""

    def begin(self, script: str) -> None:
        """Run a document's commands, parameters in them."""
        ...

    def look(self) -> State:
        """How it fares."""
        ...

    def cancel(self) -> None:
        """End it."""
        ...


@dataclass
class RunCommand:
    """Commands by their ids, and the agents that are online by their instances.

    For the next `unknown_looks` questions a command is not known yet, which is what eventual consistency looks like.
    """

    content: Callable[[str], Mapping[str, Any]]
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    unknown_looks: int = 0
    sent: dict[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])

    @property
    def operations(self) -> dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]]:
        """By their names."""
        return {
            "ssm:SendCommand": self.send,
            "ssm:GetCommandInvocation": self.invocation,
            "ssm:ListCommandInvocations": self.invocations,
            "ssm:CancelCommand": self.cancel,
        }

    def send(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """To one instance, since no document of ours is for several."""
        (instance,) = given["InstanceIds"]
        if instance not in self.agents:
            words = f"Instances [[{instance}]] not in a valid state for account 123456789012"
            raise AwsError("InvalidInstanceId", words)
        parameters = {name: values[0] for name, values in given.get("Parameters", {}).items()}
        try:
            script = delivered(self.content(given["DocumentName"]), parameters)
        except ValueError as error:
            raise AwsError("InvalidParameters", f"Parameter is not allowed: {error}") from error
        command = str(uuid.uuid4())
        self.sent[command] = (instance, given["DocumentName"], given.get("Comment", ""))
        self.agents[instance].begin(script)
        return {"Command": {"CommandId": command, "DocumentName": given["DocumentName"], "Status": "Pending"}}

    def invocation(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """How it fares on the instance."""
        found = self.sent.get(given["CommandId"])
        if self._unknown() or found is None or found[0] != given["InstanceId"]:
            raise AwsError("InvocationDoesNotExist", "")
        state = self.agents[found[0]].look()
        return {
            "CommandId": given["CommandId"],
            "InstanceId": found[0],
            "DocumentName": found[1],
            "Status": state.status,
            "StatusDetails": state.status,
            "ResponseCode": state.code,
            "StandardOutputContent": state.output[:_SHOWN],
            "StandardErrorContent": state.errors[:_SHOWN],
        }

    def invocations(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """The same as a list, which is empty where nothing is known."""
        if self._unknown() or given["CommandId"] not in self.sent:
            return {"CommandInvocations": []}
        instance = self.sent[given["CommandId"]][0]
        status = self.agents[instance].look().status
        return {"CommandInvocations": [{"InstanceId": instance, "Status": status, "StatusDetails": status}]}

    def _unknown(self) -> bool:
        self.unknown_looks -= 1
        return self.unknown_looks >= 0

    def cancel(self, _: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Tell the agent."""
        if given["CommandId"] not in self.sent:
            raise AwsError("InvalidCommandId", "")
        self.agents[self.sent[given["CommandId"]][0]].cancel()
        return {}
