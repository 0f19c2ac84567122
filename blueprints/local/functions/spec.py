"""What is known of a function before it runs: the properties of AWS::Lambda::Function, resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...core.errors import BlueprintError, Fault

# Developer Guide, "Working with Lambda environment variables", "Defined runtime environment variables": these
# cannot be set. AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL stand for the function's LoggingConfig.
RESERVED = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)


@dataclass(frozen=True)
class FunctionSpec:
    """One function. Raises BlueprintError for a runtime other than Python and for reserved variables.

    `name` is the logical id, `physical_name` the name in AWS, `code` a zip archive, `timeout` in seconds, `memory`
    in MiB, `concurrency` the reserved one. JSON logs are asked for as AWS does it inside the environment, by
    AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL.
    """

    name: str
    physical_name: str
    arn: str
    handler: str
    runtime: str
    code: bytes
    environment: Mapping[str, str]
    timeout: float
    memory: int
    concurrency: int | None = None
    log_group: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"python3\.\d+", self.runtime):
            what = f"runtime {self.runtime!r} cannot run on this machine; only python3.x can"
            raise BlueprintError(Fault("", self.name, what))
        refused = sorted(RESERVED & set(self.environment))
        if refused:
            what = f"Lambda reserves {', '.join(refused)}; remove from Environment.Variables"
            raise BlueprintError(Fault("", self.name, what))

    @property
    def region(self) -> str:
        """Region of the ARN."""
        return self.arn.split(":")[3]

    @property
    def log_group_name(self) -> str:
        """Developer Guide, "Sending Lambda function logs to CloudWatch Logs": the default log group."""
        return self.log_group or f"/aws/lambda/{self.physical_name}"

    @property
    def json_logs(self) -> bool:
        """Whether the logs of the platform are JSON objects."""
        return self.environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
