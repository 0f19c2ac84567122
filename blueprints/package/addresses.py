"""How a rewritten template names its assets: by a path beside it, or by an address in a bucket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..checks.packaged import Artifact
from .asset import Asset


class Addresses(Protocol):
    """What an artifact's property is given for an asset."""

    def of(self, artifact: Artifact, asset: Asset, folder: Path) -> Any:
        """The value; `folder` is where the template will stand."""
        ...


class Beside:
    """Paths from the template, which `aws cloudformation package` and `sam deploy` take from there."""

    def of(self, artifact: Artifact, asset: Asset, folder: Path) -> str:
        """The path of the asset."""
        return Path(os.path.relpath(asset.file, folder)).as_posix()


@dataclass(frozen=True)
class InBucket:
    """Addresses of objects `prefix/<sha256>.<suffix>`. `endpoint` is the URL of S3 in the bucket's region."""

    bucket: str
    prefix: str
    endpoint: str

    def key(self, asset: Asset) -> str:
        """The key of an asset."""
        return "/".join(filter(None, (self.prefix.strip("/"), asset.name)))

    def of(self, artifact: Artifact, asset: Asset, folder: Path) -> Any:
        """The address in the form that the property takes."""
        key = self.key(asset)
        if artifact.address == "s3":
            return f"s3://{self.bucket}/{key}"
        if artifact.address == "https":
            return f"{self.endpoint}/{self.bucket}/{key}"
        return dict(zip(artifact.address, (self.bucket, key), strict=True))
