"""Whether all nodes asked for are there: told by the node on watch, in the registry and in CloudWatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .aws import RefusedError

if TYPE_CHECKING:
    from .aws import Call, Request
    from .registry import Registry

NAMESPACE = "DeepLearningCluster"
_REASON = 300  # characters of what EC2 says


class Group(NamedTuple):
    """An Auto Scaling group of this cluster: its name, the kind of its nodes, and how many it wants and has."""

    name: str
    kind: str
    desired: int
    present: int


class Standing(NamedTuple):
    """Nodes asked for, nodes that have joined, and nodes that EC2 refuses, with what it says of them."""

    Expected: int
    Joined: int
    Refused: int
    Reason: str


class Capacity:
    """What AWS says of the cluster. Methods raise CallError when it says nothing."""

    def __init__(self, call: Call, registry: Registry, cluster: str) -> None:
        self._call, self._registry, self._cluster = call, registry, cluster

    def groups(self) -> list[Group]:
        """The groups of this cluster, by their tags."""
        filters = [{"Name": "tag:Cluster", "Values": [self._cluster]}]
        answer = self._call("autoscaling describe-auto-scaling-groups", {"Filters": filters})
        return [_group(each) for each in answer["AutoScalingGroups"]]

    def tell(self, groups: list[Group], joined: int) -> Standing:
        """Write it into the registry and put it into CloudWatch, unless another node is on watch by now."""
        refusals = [(each, self._refusal(each)) for each in groups if each.present < each.desired]
        refused = sum(group.desired - group.present for group, reason in refusals if reason)
        reason = next((reason for _, reason in refusals if reason), "")
        standing = Standing(sum(each.desired for each in groups), joined, refused, reason)
        try:
            self._registry.stand(standing._asdict())
        except RefusedError:
            return standing
        values = {name: value for name, value in standing._asdict().items() if name != "Reason"}
        put(self._call, values, {"Cluster": self._cluster})
        return standing

    def _refusal(self, group: Group) -> str:
        """What EC2 said of the group's latest launch, if it refused it; a group that has none is being launched."""
        request = {"AutoScalingGroupName": group.name, "MaxRecords": 20}
        activities = self._call("autoscaling describe-scaling-activities", request)["Activities"]
        for each in activities:
            if each.get("Description", "").startswith("Launching"):
                failed = each["StatusCode"] == "Failed"
                return (each.get("StatusMessage") or "no reason")[:_REASON] if failed else ""
        return ""


def put(call: Call, values: dict[str, float], dimensions: dict[str, str]) -> None:
    """Put metrics into CloudWatch. Raises CallError."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    data: list[Request] = [
        {"MetricName": name, "Value": value, "Dimensions": named} for name, value in values.items()
    ]
    call("cloudwatch put-metric-data", {"Namespace": NAMESPACE, "MetricData": data})


def _group(found: dict[str, Any]) -> Group:
    tags = {each["Key"]: each["Value"] for each in found["Tags"]}
    name, desired = found["AutoScalingGroupName"], found["DesiredCapacity"]
    return Group(name, tags.get("NodeType", ""), desired, len(found["Instances"]))
