"""Each function's role, against the calls that every operation of the API makes: what it grants is what is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from blueprints.local.running import Running

from .conftest import OPEN, UNTHROTTLED, Render

if TYPE_CHECKING:
    from blueprints.local.privilege.plugin import Privileges

pytest_plugins = ("blueprints.local.privilege.plugin",)

KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}, {}),
    "expiring, traced, with a key": (
        {"time_to_live_days": 7, "tracing": True, "preconditions": "required"},
        {"KmsKeyArn": KEY},
        {"kms_key": True},
    ),
}


@pytest.fixture(scope="module", params=list(SHAPES))
def api(request: pytest.FixtureRequest, privileges: Privileges, render: Render) -> Iterator[str]:
    """The address of an API whose roles are watched."""
    config, parameters, environment = SHAPES[request.param]
    stack = render({**OPEN, **UNTHROTTLED, **config}, parameters, **environment)
    with Running(stack, workers=2) as running, privileges.watch(running.aws, stack):
        yield running.urls["HttpApi"]


def test_every_operation_is_used(api: str) -> None:
    """The verdict follows after the last test: `privileges` gives it."""
    document = f"{api}/resource/one"

    def ask(method: str, url: str = document, **headers: str) -> requests.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method, url, data=b"text" if method == "PUT" else None, headers=given, timeout=60
        )

    made = ask("PUT", If_None_Match="*")
    assert made.status_code == 201
    assert ask("PUT", If_None_Match="*").status_code == 412
    assert ask("GET").text == "text"
    assert [each["id"] for each in ask("GET", f"{api}/resource").json()["items"]] == ["one"]
    assert ask("GET", f"{api}/openapi.json").json()["openapi"]
    assert ask("DELETE", If_Match=made.headers["ETag"]).status_code == 204
    assert ask("GET").status_code == 404
