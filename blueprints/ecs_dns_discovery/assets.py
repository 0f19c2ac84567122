"""Code that runs elsewhere: in the template where it fits, else as a path that `blueprints package` uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from troposphere import GetAtt, awslambda, iam, logs

from ..blocks import functions
from ..blocks.acceptance import accept

_HERE = Path(__file__).parent
# From the folder of a template to this one: two up, and down this package's path.
_ROOT = "../../" + (__package__ or "").replace(".", "/")
_PACKAGED = (
    "A path that `blueprints package` uploads, because the template would be too large with what stands there. "
    "When that fits into the template, this can go."
)


class _LayerVersion(awslambda.LayerVersion):
    """A layer whose content is a path until it is packaged."""

    props = awslambda.LayerVersion.props | {"Content": (str, True)}


class _Function(awslambda.Function):
    """A function whose code is a path until it is packaged."""

    props = awslambda.Function.props | {"Code": (str, True)}


def files(folder: str) -> Iterator[Path]:
    """The files of one of this blueprint's folders, in the order of their names."""
    return iter(sorted(each for each in (_HERE / folder).iterdir() if each.is_file()))


def digest(folder: str) -> str:
    """What an archive of a folder holds, as whoever unpacks it computes it: names and contents in their order."""
    hashed = hashlib.sha256()
    for path in files(folder):
        hashed.update(path.name.encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def layer(title: str, folder: str, description: str) -> awslambda.LayerVersion:
    """A folder for whoever has the permission to fetch it. No function uses it: Lambda is what keeps it."""
    version = _LayerVersion(
        title,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        Content=f"{_ROOT}/{folder}",
        Description=description,
    )
    return accept(version, ["W3002"], _PACKAGED)


def function(
    title: str,
    module: str,
    role: iam.Role,
    log_group: logs.LogGroup,
    variables: dict[str, Any],
    seconds: int,
    *,
    inline: bool,
    **more: Any,
) -> awslambda.Function:
    """A function of one module of `functions/`."""
    settings: dict[str, Any] = {
        "Architectures": [functions.ARCHITECTURE],
        "Environment": awslambda.Environment(Variables=variables),
        "LoggingConfig": functions.json_logs(log_group),
        "MemorySize": 256,
        "Role": GetAtt(role, "Arn"),
        "Runtime": functions.RUNTIME,
        "Timeout": seconds,
        **more,
    }
    if inline:
        code = awslambda.Code(ZipFile=functions.inline_code(_HERE / "functions" / f"{module}.py"))
        return awslambda.Function(title, Code=code, Handler="index.handler", **settings)
    packaged = _Function(title, Code=f"{_ROOT}/functions", Handler=f"{module}.handler", **settings)
    return accept(packaged, ["W3002"], _PACKAGED)
