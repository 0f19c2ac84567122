from .config import CrudConfig
from .template import CrudApi

__all__ = ["CrudApi", "CrudConfig"]
