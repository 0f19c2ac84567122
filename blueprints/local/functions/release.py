"""One version of a function, unpacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import code
from .environment import variables
from .spec import FunctionSpec


@dataclass(frozen=True, eq=False)
class Release:
    """What the environments of one version start from. `folder` is its own, and theirs."""

    spec: FunctionSpec
    folder: Path
    task_root: Path
    variables: Mapping[str, str]

    @classmethod
    def unpack(
        cls,
        spec: FunctionSpec,
        folder: Path,
        *,
        runtime: Path,
        endpoint_url: str | None,
        credentials: Mapping[str, str],
    ) -> Release:
        """Unpack into a new folder; raises BlueprintError, and leaves no folder, when the code is unfit."""
        task_root = folder / "task"
        folder.mkdir()
        try:
            code.unpack(spec.name, spec.code, task_root)
        except BaseException:
            code.remove(folder)
            raise
        shared = variables(
            spec, endpoint_url=endpoint_url, credentials=credentials, task_root=task_root, runtime=runtime
        )
        return cls(spec, folder, task_root, shared)
