"""The only register of blueprints: `module:Class`, below this package, with one sentence each.

Listing the catalogue imports no blueprint.
"""

from __future__ import annotations

from typing import NamedTuple

CATALOGUE = {
    "asg_backup:AsgBackup": "Back an instance up before its Auto Scaling group ends it.",
    "crud_api:CrudApi": "Store, read and delete documents over HTTP, without a server.",
    "deep_learning_cluster:DeepLearningCluster": "A master and GPU workers that train one model together.",
    "ecs_dns_discovery:EcsDnsDiscovery": "A cluster whose containers are found by name as soon as they run.",
}


class Entry(NamedTuple):
    """A blueprint of the catalogue: its folder's name, its class as a stack file spells it, its sentence."""

    name: str
    blueprint: str
    description: str


def entries() -> list[Entry]:
    """The catalogue, in its order."""
    return [
        Entry(entry.partition(":")[0], f"{__package__}.{entry}", sentence)
        for entry, sentence in CATALOGUE.items()
    ]
