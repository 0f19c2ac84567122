"""Which records a container asks for, where it is published in unusual ways."""

from __future__ import annotations

from typing import Any

import pytest

from .world import AGENT, ZONE, container

HOST = AGENT.records.Host("i-0123456789abcdef0", "10.5.10.74", ZONE, 0, "weighted")


def wanted(what: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The values of its records, and what is told."""
    problems: list[str] = []

    def nowhere(container: str) -> str:
        return ""

    found = AGENT.records.of_container(what, HOST, nowhere, problems.append)
    return [each.value for each in found], problems


@pytest.mark.parametrize(
    ("bindings", "ports"),
    [
        ([("0.0.0.0", "32768"), ("::", "32768")], ["32768"]),  # noqa: S104
        ([("0.0.0.0", "32768"), ("::", "32769")], ["32768"]),  # noqa: S104
        ([("::", "32769"), ("0.0.0.0", "32768")], ["32768"]),  # noqa: S104
        ([("", "80")], ["80"]),
        ([("10.5.10.74", "80")], ["80"]),
        ([("::", "32769")], []),
        ([("127.0.0.1", "80")], []),
        ([("::1", "80")], []),
        ([("0.0.0.0", "")], []),  # noqa: S104
    ],
)
def test_the_port_is_the_one_behind_which_ipv4_finds_it(
    bindings: list[tuple[str, str]], ports: list[str]
) -> None:
    what = container()
    what["NetworkSettings"]["Ports"]["8081/tcp"] = [{"HostIp": ip, "HostPort": port} for ip, port in bindings]
    values, problems = wanted(what)
    assert [each.split()[2] for each in values] == ports
    assert bool(problems) == (not ports)


@pytest.mark.parametrize(
    "wish",
    [
        "SERVICE_8081_NAME=" + "a" * 64,
        "SERVICE_8081_NAME=" + "a." * 200,
        "SERVICE_8081_NAME=<x>&\"'",
        "SERVICE_8081_NAME=*",
        "SERVICE_8081_NAME=a..b",
        "SERVICE_8081_NAME=a\nb",
        "SERVICE_8081_NAME=..",
        "SERVICE_8081_NAME=",
        "SERVICE_8081_NAME",
        "SERVICE_0_NAME=a",
        "SERVICE_65536_NAME=a",
        "SERVICE_²_NAME=a",
        "SERVICE_-1_NAME=a",
        "SERVICE_" + "9" * 5000 + "_NAME=a",
        "SERVICE_8081_NAME=ä",
    ],
)
def test_a_hostile_wish_is_told_and_nothing_of_it_is_written(wish: str) -> None:
    values, problems = wanted(container(1, wish, "SERVICE_8081_NAME=_calc._tcp"))
    assert len(values) == 1  # the good one beside it
    assert problems
