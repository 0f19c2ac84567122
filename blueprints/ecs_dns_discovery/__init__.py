from .config import DiscoveryConfig
from .template import EcsDnsDiscovery

__all__ = ["DiscoveryConfig", "EcsDnsDiscovery"]
