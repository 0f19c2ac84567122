"""Mutators: for each check one or more that plant its defect in our rendered templates, a module a topic.

`MUTATORS` has them all. `plant.py` says what one is, and in which forms a defect is planted.
"""

from __future__ import annotations

from . import (
    boot,
    boot_waits,
    containers,
    custom_resources,
    functions,
    launch,
    limits,
    messaging,
    names,
    network,
    parameters,
    permissions,
    portability,
    retention,
    scaling,
    secrets,
)
from .plant import MUTATORS, Mutator, Plant, Template

__all__ = ["MUTATORS", "Mutator", "Plant", "Template"]

TOPICS = (
    boot,
    boot_waits,
    containers,
    custom_resources,
    functions,
    launch,
    limits,
    messaging,
    names,
    network,
    parameters,
    permissions,
    portability,
    retention,
    scaling,
    secrets,
)
