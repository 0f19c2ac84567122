"""Ingress: who may connect, from where, and why."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, field_validator
from troposphere import ec2

from ..core import Config


class Ingress(Config):
    """One network that may connect to one TCP port."""

    cidr: Annotated[str, Field(examples=["10.20.0.0/16", "2001:db8::/32"])]
    """IPv4 or IPv6 network, such as 10.20.0.0/16."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """TCP port."""

    reason: Annotated[
        str,
        Field(
            min_length=5,
            examples=["The office"],
            max_length=255,
            pattern=r"^[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$",
        ),
    ]
    """Why; it becomes the rule's description, in the characters that EC2 takes."""

    @field_validator("cidr")
    @classmethod
    def _network(cls, value: str) -> str:
        try:
            network = ipaddress.ip_network(value)
        except ValueError:
            raise ValueError(f"not a network, got {value!r}; {_remedy(value)}") from None
        if network.prefixlen == 0:
            raise ValueError(f"open to the whole world, got {value!r}; write the networks that need it")
        return value

    def rule(self) -> ec2.SecurityGroupRule:
        """The rule for a security group."""
        family = "CidrIpv6" if ":" in self.cidr else "CidrIp"
        return ec2.SecurityGroupRule(
            **{family: self.cidr},
            Description=self.reason,
            FromPort=self.port,
            ToPort=self.port,
            IpProtocol="tcp",
        )


def _remedy(value: str) -> str:
    try:
        return f"write {ipaddress.ip_network(value, strict=False)}"
    except ValueError:
        return "write one such as 10.20.0.0/16"
