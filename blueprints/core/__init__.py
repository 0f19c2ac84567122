"""What a blueprint is written with."""

from .blueprint import Blueprint
from .config import Config
from .environment import Environment
from .errors import BlueprintError, BuildError, ConfigError, Fault
from .parameter import Parameter

__all__ = [
    "Blueprint",
    "BlueprintError",
    "BuildError",
    "Config",
    "ConfigError",
    "Environment",
    "Fault",
    "Parameter",
]
