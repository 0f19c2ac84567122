"""Choices that shape the template."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..core import Config, ConfigError

# Fetch, "CORS protocol": an origin is a scheme, a host and a port, and nothing after them.
Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]


class CrudConfig(Config):
    """Choices fixed when the template is rendered."""

    auth: Literal["none", "iam", "jwt"]
    """Who may call: anybody (none), AWS principals (iam), or bearers of a token that JwtIssuer signed (jwt)."""

    auth_reason: Annotated[str, Field(min_length=20)] | None = Field(
        default=None, examples=["Public data, the same for everybody."]
    )
    """Why nobody needs to say who they are; with `auth: none` alone, and required there."""

    cors_origins: tuple[Origin, ...] = Field(default=(), max_length=5, examples=[["https://app.example.com"]])
    """Web sites whose scripts may call, each as https://host; browsers keep all others from it."""

    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Steady rate at which the API takes requests; more than that gets status 429."""

    burst: Annotated[int, Field(ge=1, le=5_000)] = 40
    """Requests that may arrive at once above the steady rate."""

    preconditions: Literal["optional", "required"] = "optional"
    """Whether every write has to say which version it replaces; one that does not gets status 428."""

    time_to_live_days: int | None = Field(default=None, ge=1, le=3_650)
    """Days after its last write that a document is gone; without it documents stay."""

    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365] = 30
    """Days that logs are kept, the API's and the functions'."""

    alarm_topic: bool = False
    """Tell the topic named by AlarmTopicArn when an alarm goes off; without it alarms are only to be seen."""

    tracing: bool = False
    """Record in X-Ray how long each function takes, for a sample of the requests."""

    @model_validator(mode="after")
    def _open_for_a_reason(self) -> CrudConfig:
        if self.auth == "none" and self.auth_reason is None:
            what = "missing; say in 20 characters or more why anybody may call, or choose another auth"
            raise ConfigError("auth_reason", what)
        if self.auth != "none" and self.auth_reason is not None:
            raise ConfigError("auth_reason", f"it explains auth: none, got auth: {self.auth}; remove it")
        return self
