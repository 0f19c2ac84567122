"""Creators of resources, a function a type; `creator.py` one level up says how they are written."""

from importlib import import_module

_MODULES = ("compute", "identity", "messaging", "network", "operations", "storage")


def load() -> None:
    """Register all of them; nothing happens if that was done."""
    for name in _MODULES:
        import_module(f".{name}", __package__)
