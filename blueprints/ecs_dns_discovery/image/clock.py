"""Tells the time in a layout of Go's: `/time/15:04 Jan 2`. A layout shows how 2006-01-02 15:04:05 would look."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_LONGEST = 200
# Go's package time, "Constants": the longest first, where one begins like another.
_FORMATS = {
    "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "MST": "%Z", "2006": "%Y", "Z07:00": "Z",
    "-07:00": "+00:00", "-0700": "%z",
    "01": "%m", "02": "%d", "03": "%I", "04": "%M", "05": "%S", "06": "%y", "15": "%H", "PM": "%p",
    "pm": "%P", "_2": "%e", "1": "%-m", "2": "%-d", "3": "%-I", "4": "%-M", "5": "%-S",
}  # fmt: skip
_LAYOUT = re.compile("|".join(map(re.escape, _FORMATS)))


def answer(path: str) -> str:
    """The time, UTC, in the layout of the path. Raises LookupError for another path."""
    _, found, layout = path.partition("/time/")
    if not found or not layout:
        raise LookupError(path)
    if len(layout) > _LONGEST:
        raise ValueError(f"a layout has at most {_LONGEST} characters")
    return formatted(datetime.now(UTC), layout)


def formatted(moment: datetime, layout: str) -> str:
    """A moment, UTC, as Go would write it."""
    return _LAYOUT.sub(lambda found: moment.strftime(_FORMATS[found[0]]), layout)
