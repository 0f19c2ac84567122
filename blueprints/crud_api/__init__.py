from .template import CrudApi, CrudConfig

__all__ = ["CrudApi", "CrudConfig"]
