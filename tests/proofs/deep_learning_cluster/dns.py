"""The name server that a VPC has: BIND, with the names that EC2 gives to instances, `ip-10-77-0-12.ec2.internal`.

Source: EC2 User Guide, "EC2 instance hostname types": the IP name, and its A record in a VPC with DNS host names.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from blueprints.local.hosts import Network

DOMAIN = "ec2.internal"
_CONFIG = """
options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion no; listen-on {{ {address}; }};
  listen-on-v6 {{ none; }}; allow-query {{ any; }}; dnssec-validation no; }};
controls {{ }};
zone "{domain}" {{ type primary; file "{folder}/zone"; }};
"""
_ZONE = """$TTL 60
@ IN SOA ns admin 1 60 60 60 60
@ IN NS ns
ns IN A {address}
$GENERATE 10-250 ip-{dashes}-$ A {dots}.$
"""


def serve(network: Network, folder: Path) -> subprocess.Popen[bytes]:
    """Answer on the network's gateway, until the process is ended."""
    dots = network.gateway.rpartition(".")[0]
    zone = _ZONE.format(address=network.gateway, dots=dots, dashes=dots.replace(".", "-"))
    (folder / "zone").write_text(zone)
    config = folder / "named.conf"
    config.write_text(_CONFIG.format(folder=folder, address=network.gateway, domain=DOMAIN))
    return subprocess.Popen(
        ["named", "-f", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def host_name(network: Network) -> str:
    """The name of the next host, by the address that it will have."""
    number = len(network.hosts) + 10
    return f"ip-{network.gateway.rpartition('.')[0].replace('.', '-')}-{number}"


def resolv_conf(network: Network) -> str:
    """What DHCP makes of it on an instance."""
    return f"nameserver {network.gateway}\nsearch {DOMAIN}\n"
