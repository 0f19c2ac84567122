from .config import BackupConfig
from .template import AsgBackup

__all__ = ["AsgBackup", "BackupConfig"]
