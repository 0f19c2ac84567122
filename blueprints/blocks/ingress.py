"""Ingress: who may connect, from where, and why."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, field_validator
from troposphere import ec2

from ..core import Config

# The widest network that anybody is given: /8 of IPv4. What is wider is the world in two rules.
_WIDEST = {4: 8, 6: 16}


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
        if "/" not in value or "%" in value:
            raise ValueError(f"not a network, got {value!r}; {_remedy(value)}")
        if network.prefixlen < _WIDEST[network.version]:
            raise ValueError(f"open to much of the world, got {value!r}; write the networks that need it")
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
        return f"write {ipaddress.ip_network(value.partition('%')[0], strict=False)}"
    except ValueError:
        return "write one such as 10.20.0.0/16"
