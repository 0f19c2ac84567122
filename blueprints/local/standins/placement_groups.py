"""ec2 placement groups, which moto lacks: created, described and deleted by name; nothing is placed.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html,
API_DescribePlacementGroups.html and API_DeletePlacementGroup.html; codes: "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from .answer import AwsError
from .request import Call

_STRATEGIES = ("cluster", "spread", "partition")


class PlacementGroups:
    """The groups of each region."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.operations = {
            "ec2:CreatePlacementGroup": self.create,
            "ec2:DescribePlacementGroups": self.describe,
            "ec2:DeletePlacementGroup": self.delete,
        }

    def create(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """CreatePlacementGroup: a name that the account has not used in this region."""
        strategy = given.get("Strategy", "cluster")
        if strategy not in _STRATEGIES:
            raise AwsError("InvalidParameterValue", f"The strategy '{strategy}' is not valid.")
        name = given.get("GroupName") or f"pg-{call.region}-{len(self._groups)}"
        group_id = "pg-" + hashlib.sha256(f"{call.region}/{name}".encode()).hexdigest()[:17]
        group = {"GroupName": name, "GroupId": group_id, "Strategy": strategy, "State": "available"}
        if strategy == "partition":
            group["PartitionCount"] = int(given.get("PartitionCount", 2))
        with self._lock:
            if (call.region, name) in self._groups:
                raise AwsError(
                    "InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists."
                )
            self._groups[call.region, name] = group
        return {"PlacementGroup": group}

    def describe(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """DescribePlacementGroups: all, or those named, each of which has to exist."""
        with self._lock:
            known = {name: group for (region, name), group in self._groups.items() if region == call.region}
        names = given.get("GroupNames") or list(known)
        for name in names:
            if name not in known:
                raise _unknown(name)
        return {"PlacementGroups": [known[name] for name in names]}

    def delete(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """DeletePlacementGroup by name."""
        with self._lock:
            if self._groups.pop((call.region, given.get("GroupName", "")), None) is None:
                raise _unknown(given.get("GroupName", ""))
        return {}

    def clear(self) -> None:
        """There are no groups."""
        with self._lock:
            self._groups.clear()


def _unknown(name: str) -> AwsError:
    return AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
