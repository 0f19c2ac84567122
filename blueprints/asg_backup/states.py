"""States in Amazon's language, each a dictionary, and a machine as text."""

from __future__ import annotations

import json
from typing import Any

State = dict[str, Any]
States = dict[str, State]

# Three more tries, after one, two and four seconds: what the language takes where nothing is said.
AGAIN = {"ErrorEquals": ["States.TaskFailed"]}


def task(
    action: str,
    parameters: State,
    following: str | None,
    *,
    keep: str | None = None,
    select: State | None = None,
    retry: list[State] | None = None,
    catch: list[State],
) -> State:
    """A call of an API. What fails is tried again; every error leads somewhere, so that no path ends unfinished."""
    state: State = {
        "Type": "Task",
        "Resource": f"arn:${{AWS::Partition}}:states:::{action}",
        "Parameters": parameters,
        "ResultPath": keep,
        "Retry": retry or [dict(AGAIN)],
        "Catch": catch,
    }
    state |= {"Next": following} if following else {"End": True}
    if select is not None:
        state["ResultSelector"] = select
    return state


def catch(following: str, error: str = "States.ALL", *, keep: str | None = None) -> State:
    """Where an error leads; `keep` is the path that it is left at."""
    return {"ErrorEquals": [error], "ResultPath": keep, "Next": following}


def choice(rules: list[State], default: str) -> State:
    """The first rule that holds, or the default."""
    return {"Type": "Choice", "Choices": rules, "Default": default}


def when(condition: State, following: str) -> State:
    """A condition and where it leads."""
    return condition | {"Next": following}


def is_text(path: str, text: str) -> State:
    """Whether a path holds this text."""
    return {"Variable": path, "StringEquals": text}


def is_like(path: str, pattern: str) -> State:
    """Whether a path holds text of this form, in which * is anything."""
    return {"Variable": path, "StringMatches": pattern}


def is_present(path: str) -> State:
    """Whether there is such a path."""
    return {"Variable": path, "IsPresent": True}


def failed(error: str, cause: str) -> State:
    """An end that counts as a failure."""
    return {"Type": "Fail", "Error": error, "Cause": cause}


def text(machine: State) -> str:
    """A machine as JSON, a state on a line."""
    head = _compact({name: value for name, value in machine.items() if name != "States"})
    states = ",\n".join(f"{_compact(name)}:{_compact(state)}" for name, state in machine["States"].items())
    return f'{head[:-1]},"States":{{\n{states}\n}}}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def machine(start: str, states: States, *, seconds: int) -> State:
    """A machine of these states, ended after so many seconds whatever happens."""
    return {"StartAt": start, "TimeoutSeconds": seconds, "States": states}
