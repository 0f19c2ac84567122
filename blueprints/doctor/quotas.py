"""Quotas of EC2 that a stack may need more of. Codes: Service Quotas, "ec2" and "vpc"; EC2 User Guide, "EC2 On-Demand
Instance limits" and "Spot Instance quotas", which count vCPUs by families.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Quota(NamedTuple):
    """A quota: its service, its code and what it counts."""

    service: str
    code: str
    what: str


ADDRESSES = Quota("ec2", "L-0263D0A3", "Elastic IP addresses")
VPCS = Quota("vpc", "L-F678F1CE", "VPCs")

_ON_DEMAND = {
    "g": Quota("ec2", "L-DB2E81BA", "vCPUs of On-Demand G and VT instances"),
    "p": Quota("ec2", "L-417A185B", "vCPUs of On-Demand P instances"),
    "": Quota("ec2", "L-1216C47A", "vCPUs of On-Demand standard instances"),
}
_SPOT = {
    "g": Quota("ec2", "L-3819A6DF", "vCPUs of G and VT Spot instances"),
    "p5": Quota("ec2", "L-C4BD4855", "vCPUs of P5 Spot instances"),
    "p": Quota("ec2", "L-7212CCBC", "vCPUs of P4, P3 and P2 Spot instances"),
    "": Quota("ec2", "L-34B43A08", "vCPUs of standard Spot instances"),
}
_FAMILIES = (
    (r"(g|gr|vt)\d", "g"),
    (r"p5", "p5"),
    (r"p[234]", "p"),
    (r"p\d", "other"),
    (r"[acdhimrtz]\d", ""),
)


def of_instances(instance_type: str, *, spot: bool) -> Quota | None:
    """The quota that counts a type's vCPUs; None for families whose quota is not known here."""
    family = next((name for form, name in _FAMILIES if re.match(form, instance_type)), None)
    if family is None:
        return None
    if spot:
        return _SPOT.get(family)
    return _ON_DEMAND.get("p" if family in ("p5", "other") else family)
