"""Schedule expressions: which minutes they mean.

Source: EventBridge User Guide, "Setting a schedule pattern for scheduled rules", and Scheduler User Guide, "Schedule
types".
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_FIELDS = 6
_SUNDAY_IS_1 = 7  # weekdays here count from Sunday, 1, to Saturday, 7


def rate(text: str) -> float | None:
    """Seconds between two times of `rate(5 minutes)`; None for another expression. Raises ValueError."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", text)
    if match is None:
        if text.startswith("rate("):
            raise ValueError(f"{text!r}: write rate(1 minute), rate(5 minutes), hours or days")
        return None
    value = int(match[1])
    if value == 0 or (value == 1) == bool(match[3]):
        raise ValueError(f"{text!r}: a positive number, and the plural for more than one")
    return float(value * _UNITS[match[2]])


def at(text: str) -> datetime | None:
    """The minute of `at(2026-11-20T13:00:00)`, without a zone; None for another expression. Raises ValueError."""
    match = re.fullmatch(r"at\((.+)\)", text)
    return datetime.fromisoformat(match[1]).replace(second=0) if match else None


@dataclass(frozen=True)
class Cron:
    """`cron(minutes hours day-of-month month day-of-week year)`. Raises ValueError for what is none."""

    text: str

    def __post_init__(self) -> None:
        day, week = self._parts[2], self._parts[4]
        if (day == "?") == (week == "?"):
            raise ValueError(f"{self.text!r}: one of day-of-month and day-of-week has to be ?")
        # Any minute makes every field be read.
        self.matches(datetime(2024, 2, 29))

    @property
    def _parts(self) -> list[str]:
        match = re.fullmatch(r"cron\((.*)\)", self.text)
        parts = match[1].split() if match else []
        if len(parts) != _FIELDS:
            raise ValueError(f"{self.text!r}: not cron() with minutes, hours, day, month, weekday and year")
        return parts

    def matches(self, minute: datetime) -> bool:
        """Whether a minute, in the schedule's zone, is one of those meant."""
        minutes, hours, day, month, week, year = self._parts
        found = [
            minute.minute in self._values(minutes, 0, 59),
            minute.hour in self._values(hours, 0, 23),
            minute.month in self._values(month, 1, 12, _MONTHS),
            minute.year in self._values(year, 1970, 2199),
            day == "?" or minute.day in self._days(day, minute),
            week == "?" or self._weekday(week, minute),
        ]
        return all(found)

    def _values(self, field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> set[int]:
        """Values of lists, ranges, names and steps."""
        found: set[int] = set()
        for part in field.upper().split(","):
            span, _, step = part.partition("/")
            first, dash, last = span.partition("-")
            if span == "*":
                start, end = low, high
            else:
                start = self._number(first, names or {})
                end = self._number(last, names or {}) if dash else (high if step else start)
            if not (low <= start <= end <= high) or step == "0":
                raise ValueError(f"{self.text!r}: {part!r} is not within {low} to {high}")
            found.update(range(start, end + 1, int(step or 1)))
        return found

    def _number(self, text: str, names: Mapping[str, int]) -> int:
        if text in names:
            return names[text]
        if not text.isdecimal():
            raise ValueError(f"{self.text!r}: {text!r} is no value of its field")
        return int(text)

    def _days(self, field: str, month: datetime) -> set[int]:
        """Days of a month, with L for the last and 3W for the weekday next to the third."""
        last = calendar.monthrange(month.year, month.month)[1]
        if field == "L":
            return {last}
        if not field.endswith("W"):
            return self._values(field, 1, 31)
        wanted = last if field == "LW" else self._number(field[:-1], {})
        return {_nearest(date(month.year, month.month, min(wanted, last)), last)}

    def _weekday(self, field: str, day: datetime) -> bool:
        """Weekdays, with L for Saturday, 6L for the month's last Friday and 3#2 for its second Tuesday."""
        today = day.isoweekday() % _SUNDAY_IS_1 + 1
        name, sharp, number = field.partition("#")
        if sharp:
            nth = self._number(number, {})
            return {today} == self._values(name, 1, 7, _DAYS) and (day.day - 1) // 7 + 1 == nth
        if field.endswith("L") and field != "L":
            last = calendar.monthrange(day.year, day.month)[1]
            return {today} == self._values(field[:-1], 1, 7, _DAYS) and day.day > last - 7
        return today in self._values("7" if field == "L" else field, 1, 7, _DAYS)


def _nearest(day: date, last: int) -> int:
    """The nearest day from Monday to Friday in the same month."""
    if day.weekday() == calendar.SATURDAY:
        return day.day - 1 if day.day > 1 else day.day + 2
    if day.weekday() == calendar.SUNDAY:
        return day.day + 1 if day.day < last else day.day - 2
    return day.day
