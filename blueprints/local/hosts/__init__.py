"""Emulated instances: hosts with a disk, processes, a name and a network of their own, on one Linux machine.

A host sees the machine's programs and none of its processes; what it writes is its own. It needs root.
"""

from .host import Host, HostError, end
from .network import Network, unavailable

__all__ = ["Host", "HostError", "Network", "end", "unavailable"]
