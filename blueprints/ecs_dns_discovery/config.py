"""What shapes a cluster with service discovery, fixed when its template is rendered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..core import Config, ConfigError

Seconds = Annotated[int, Field(ge=0, le=60)]
RetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365]


class CloudMap(Config):
    """ECS registers tasks with Cloud Map, which keeps the records of a private zone."""

    kind: Literal["cloud_map"] = "cloud_map"
    """Who makes the records."""

    ttl: Seconds = 10
    """Seconds that resolvers may keep an answer."""


class ServiceConnect(Config):
    """A proxy beside each task knows where the others are; there are no records."""

    kind: Literal["service_connect"]
    """Who makes the records."""


class Health(Config):
    """The function that removes what a dead host left behind, and ends tasks that do not answer."""

    checks: bool = False
    """Ask the tasks of services that say how: SERVICE_<port>_CHECK is `http:/path`, `tcp` or `none`."""

    stop_percent: Annotated[int, Field(ge=1, le=50)] = 30
    """Stop nothing if more than this share of the tasks fail at once: then the fault is elsewhere."""

    schedule_minutes: Annotated[int, Field(ge=2, le=60)] = 5
    """Time between two looks at everything; what ECS and EC2 tell meanwhile has records removed, and no task asked."""


class Agent(Config):
    """The post's way: an agent on every host writes the records of its containers, whoever started them."""

    kind: Literal["agent"]
    """Who makes the records."""

    ttl: Seconds = 0
    """Seconds that resolvers may keep an answer."""

    answers: Literal["weighted", "multivalue"] = "weighted"
    """One container in each answer, as in the post, or up to eight."""

    health: Health = Health()
    """The function that removes what a dead host left behind, and ends tasks that do not answer."""


Discovery = Annotated[CloudMap | ServiceConnect | Agent, Field(discriminator="kind")]


class DiscoveryConfig(Config):
    """Choices fixed when the template is rendered."""

    discovery: Discovery = CloudMap()
    """How services find each other: by Cloud Map, by Service Connect, or by the post's agent."""

    tls: bool = True
    """Whether the portal speaks HTTPS, with the certificate that CertificateArn names."""

    http_reason: Annotated[
        str | None, Field(min_length=20, max_length=200, examples=["A demonstration only."])
    ] = None
    """Why nobody minds what stands on the wire; with `tls: false` alone, and required there."""

    flow_logs: bool = False
    """Log which connections a new network took and refused."""

    sessions: bool = False
    """Let Session Manager open a shell on the instances, on which nothing else does."""

    log_retention_days: RetentionDays = 30
    """Days that logs are kept."""

    @model_validator(mode="after")
    def _says_why_not_tls(self) -> DiscoveryConfig:
        if not self.tls and self.http_reason is None:
            raise ConfigError(
                "http_reason", "missing; say why the portal needs no TLS, or leave out `tls: false`"
            )
        if self.tls and self.http_reason is not None:
            raise ConfigError("http_reason", "there is TLS; remove it")
        return self
