"""Environment: what every blueprint needs to know of the place a stack is deployed to.

`stacks/<env>/environment.yaml` says which of these exist there; their ids are ordinary parameters in the same
file, so a template never holds an account's ids. A blueprint reads this one model and spells none of it again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from troposphere import constants as aws

from .config import Config
from .parameter import Parameter

# IAM, "CreateRole": a path begins and ends with a slash, printable ASCII, at most 512 characters.
RolePath = Annotated[str, Field(pattern=r"^/([\x21-\x2e\x30-\x7e]+/)*$", max_length=512)]
TagKey = Annotated[str, Field(min_length=1, max_length=128)]


class Environment(Config):
    """What exists already, and what the environment's owner asks of every stack."""

    network: Literal["new", "existing"] = "new"
    """`existing` puts instances into the network named by VpcId and the subnet parameters."""

    permissions_boundary: bool = False
    """Put the policy named by PermissionsBoundaryArn on every role as its boundary."""

    role_path: RolePath = Field(default="/", examples=["/teams/ml/"])
    """IAM path of every role, such as /teams/ml/."""

    required_tags: tuple[TagKey, ...] = Field(default=(), examples=[["project"]])
    """Tag keys that every stack has to carry, by its own file or by environment.yaml."""

    kms_key: bool = False
    """Encrypt with the customer managed key named by KmsKeyArn instead of the keys AWS keeps."""

    proxy: bool = False
    """Instances reach the internet through ProxyUrl, except for the hosts in NoProxy."""


# Parameters that come with an environment. A blueprint that needs one takes it into its class as it is.
VPC_ID = Parameter(aws.VPC_ID, "VPC that exists already.", group="Network", label="VPC")
PROXY_URL = Parameter(
    aws.STRING,
    "Proxy through which instances reach the internet.",
    pattern=r"https?://[A-Za-z0-9.-]+:[0-9]{1,5}",
    constraint="http://host:port, without credentials",
    group="Network",
    label="Proxy",
)
NO_PROXY = Parameter(
    aws.STRING,
    "Hosts that instances reach without the proxy, separated by commas.",
    default="localhost,127.0.0.1",
    pattern=r"[A-Za-z0-9.,:/*-]*",
    constraint="host names and networks, separated by commas",
    group="Network",
    label="Without proxy",
)
