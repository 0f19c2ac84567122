"""Schedule expressions: the tables of the EventBridge User Guide, "Setting a schedule pattern"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blueprints.local.events import cron
from blueprints.local.events.schedules import Schedule


def times(text: str, begin: str, count: int) -> list[str]:
    """The next minutes that an expression means, of every fifth."""
    found: list[str] = []
    expression, minute = cron.Cron(text), datetime.fromisoformat(begin)
    end = minute + timedelta(days=200)
    while len(found) < count and minute < end:
        if expression.matches(minute):
            found.append(minute.isoformat(" ", "minutes"))
        minute += timedelta(minutes=5)
    return found


@pytest.mark.parametrize(
    ("text", "begin", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-02-27T23:00", ["2026-02-28 10:00", "2026-03-01 10:00"]),
        ("cron(15 12 * * ? *)", "2026-01-01T00:00", ["2026-01-01 12:15", "2026-01-02 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-01-02T00:00", ["2026-01-02 18:00", "2026-01-05 18:00"]),
        ("cron(0 8 1 * ? *)", "2026-01-15T00:00", ["2026-02-01 08:00", "2026-03-01 08:00"]),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:05", ["2026-01-01 00:15", "2026-01-01 00:30"]),
        ("cron(0/10 * ? * MON-FRI *)", "2026-01-02T23:45", ["2026-01-02 23:50", "2026-01-05 00:00"]),
        (
            "cron(0/5 8-17 ? * MON-FRI *)",
            "2026-01-02T17:50",
            ["2026-01-02 17:50", "2026-01-02 17:55", "2026-01-05 08:00"],
        ),
        ("cron(0/30 20-23,0-2 ? * MON-FRI *)", "2026-01-02T02:30", ["2026-01-02 02:30", "2026-01-02 20:00"]),
        ("cron(0 9 ? * 2#1 *)", "2026-01-01T00:00", ["2026-01-05 09:00", "2026-02-02 09:00"]),
        ("cron(0 0 ? * 3#2 *)", "2026-01-01T00:00", ["2026-01-13 00:00", "2026-02-10 00:00"]),
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00", ["2026-01-03 00:00", "2026-01-10 00:00"]),
        ("cron(0 0 L * ? *)", "2026-01-01T00:00", ["2026-01-31 00:00", "2026-02-28 00:00"]),
        ("cron(0 0 3W * ? *)", "2026-01-01T00:00", ["2026-01-02 00:00", "2026-02-03 00:00"]),
        ("cron(0 0 1W * ? *)", "2026-02-01T00:00", ["2026-02-02 00:00", "2026-03-02 00:00"]),
        ("cron(0 0 1W * ? *)", "2026-08-01T00:00", ["2026-08-03 00:00", "2026-09-01 00:00"]),
        ("cron(0 0 LW * ? *)", "2026-01-01T00:00", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("cron(0 0 ? JAN,jul SUN 2026-2027)", "2026-01-20T00:00", ["2026-01-25 00:00", "2026-07-05 00:00"]),
        ("cron(0 0 29 2 ? *)", "2028-02-01T00:00", ["2028-02-29 00:00"]),
        ("cron(5,35 14 * * ? 2025)", "2025-12-31T00:00", ["2025-12-31 14:05", "2025-12-31 14:35"]),
    ],
    ids=str,
)
def test_minutes_that_are_meant(text: str, begin: str, expected: list[str]) -> None:
    assert times(text, begin, len(expected)) == expected


def test_a_year_that_is_over() -> None:
    assert not cron.Cron("cron(5 14 * * ? 2025)").matches(datetime(2026, 12, 31, 14, 5))


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 * * ?)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 * FOO ? *)",
        "cron(0/0 0 * * ? *)",
        "cron(0 0 * * ? 1969)",
        "cron(0 0 ? * X#2 *)",
        "every day",
    ],
)
def test_what_is_no_cron(text: str) -> None:
    with pytest.raises(ValueError, match=r"cron|every day"):
        cron.Cron(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(1 day)", 86400)],
)
def test_rates(text: str, seconds: int) -> None:
    assert cron.rate(text) == seconds


@pytest.mark.parametrize(
    "text", ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(5 weeks)", "rate(1.5 hours)"]
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        cron.rate(text)


def due(schedule: Schedule, begin: datetime, minutes: int) -> list[int]:
    """Minutes after the beginning at which a schedule is due."""
    start = begin.timestamp() - begin.timestamp() % 60
    return [each for each in range(minutes) if schedule.is_due(start + 60 * each)]


def test_a_rate_counts_from_its_beginning() -> None:
    begun = datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC)
    # The first look after five minutes is that of the sixth minute.
    assert due(Schedule("rate(5 minutes)", begun.timestamp()), begun, 20) == [6, 11, 16]
    assert due(Schedule("rate(1 minute)", begun.timestamp()), begun, 5) == [2, 3, 4]


def test_a_schedule_keeps_the_hour_of_its_zone() -> None:
    berlin = Schedule("cron(30 9 * * ? *)", 0.0, "Europe/Berlin")
    assert berlin.is_due(datetime(2026, 1, 15, 8, 30, tzinfo=UTC).timestamp())
    assert berlin.is_due(datetime(2026, 7, 15, 7, 30, tzinfo=UTC).timestamp())
    assert not berlin.is_due(datetime(2026, 7, 15, 8, 30, tzinfo=UTC).timestamp())


def test_a_schedule_of_one_time() -> None:
    once = Schedule("at(2026-11-20T13:00:00)", 0.0, "America/New_York")
    assert once.is_due(datetime(2026, 11, 20, 18, 0, tzinfo=UTC).timestamp())
    assert not once.is_due(datetime(2027, 11, 20, 18, 0, tzinfo=UTC).timestamp())
