"""Lambda functions whose code stands in the template."""

from __future__ import annotations

from pathlib import Path

from troposphere import AWSHelperFn, Ref, awslambda, logs

from .properties import given

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"


def inline_code(path: Path) -> str:
    """A handler module as the text that goes into the template: what is reviewed is what runs."""
    return path.read_text(encoding="utf-8")


def log_group(title: str, retention_days: int, key: AWSHelperFn | None) -> logs.LogGroup:
    """A log group that the stack owns, so that it ends with the stack and keeps what was asked for."""
    return logs.LogGroup(
        title,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        RetentionInDays=retention_days,
        **given(KmsKeyId=key),
    )


class _LoggingConfig(awslambda.LoggingConfig):
    """A function's property; in troposphere 4.11 another resource's property of this name hides it."""

    props = {  # noqa: RUF012 - troposphere's own form
        "ApplicationLogLevel": (str, False),
        "LogFormat": (str, False),
        "LogGroup": (str, False),
        "SystemLogLevel": (str, False),
    }


def json_logs(group: logs.LogGroup) -> awslambda.LoggingConfig:
    """Write structured logs to a group of the stack's own."""
    return _LoggingConfig(LogFormat="JSON", LogGroup=Ref(group))
