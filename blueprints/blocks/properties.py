"""Optional properties of resources."""

from __future__ import annotations

from typing import Any


def given(**properties: Any) -> dict[str, Any]:
    """The properties that have a value; troposphere would write None into the template."""
    return {name: value for name, value in properties.items() if value is not None}
