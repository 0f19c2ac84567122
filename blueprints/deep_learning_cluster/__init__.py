from .config import ClusterConfig
from .template import DeepLearningCluster

__all__ = ["ClusterConfig", "DeepLearningCluster"]
