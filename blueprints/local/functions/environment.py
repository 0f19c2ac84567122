"""The environment variables of a function's process: Lambda's, and nothing of ours."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from .spec import FunctionSpec


def variables(
    spec: FunctionSpec,
    *,
    endpoint_url: str | None,
    credentials: Mapping[str, str],
    task_root: Path,
    runtime: Path,
) -> dict[str, str]:
    """Variables that all environments of a function share.

    Developer Guide, "Working with Lambda environment variables", "Defined runtime environment variables": the
    first group may be set by the function's configuration, the last one not. `credentials` are variables, such as
    AWS_ACCESS_KEY_ID.
    """
    return {
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": str(runtime),
        "TZ": ":UTC",
        # An interpreter built as a shared library may be found by this only.
        **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        **spec.environment,
        **_addressed(endpoint_url),
        **credentials,
        "_HANDLER": spec.handler,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_FUNCTION_NAME": spec.physical_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group_name,
        "AWS_REGION": spec.region,
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "LAMBDA_TASK_ROOT": str(task_root),
    }


def _addressed(endpoint_url: str | None) -> dict[str, str]:
    """Where the SDK calls to. A function must not meet the real AWS through the metadata of this machine."""
    safe = {"AWS_EC2_METADATA_DISABLED": "true"}
    return safe if endpoint_url is None else {**safe, "AWS_ENDPOINT_URL": endpoint_url}


def of_worker(api_address: str, temporary: Path) -> dict[str, str]:
    """Variables of one environment. Its home is empty, so that the SDK finds no profile of the user."""
    stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
    return {
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_RUNTIME_API": api_address,
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
    }
