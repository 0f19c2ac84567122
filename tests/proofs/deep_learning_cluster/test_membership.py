"""Changes of a running cluster: readers, hooks, reboot, partition, replacement of a worker and of the master."""

from __future__ import annotations

import json

import pytest

from .changes import LONG, count, counts, formed, replaced
from .cluster import Cluster, until

CHANGES = """
cd /opt/deeplearning/lib && python3 - <<'EOF'
import json, pathlib
from agent.files import Files
from agent.registry import Facts, Member
def member(slot):
    return Member(slot, Facts(f"i-{slot}", f"10.9.0.{slot}", f"ssh-ed25519 K{slot}", "g6.xlarge", 1, 0), 0)
files = Files(pathlib.Path("/"), "")
for change in range(1000):
    others = [slot for slot in range(2, 9) if change + slot & change % 7 + 1]
    files.publish(10_000 + change, 1, [member(slot) for slot in [1, *others]])
EOF
"""
READER = """
looks=0
while [ ! -e /run/changed ]; do
  snapshot=$(readlink /opt/deeplearning/current) && cd /opt/deeplearning/$snapshot || exit 2
  . ./deeplearning.sh
  mapfile -t workers < workers; mapfile -t hosts < hostfile; mapfile -t keys < known_hosts
  [ ${#workers[@]} = $DEEPLEARNING_WORKERS_COUNT ] || { echo "torn: $snapshot ${workers[*]}"; exit 3; }
  [ "${hosts[*]}" = "${workers[*]/%/ slots=1}" ] || { echo "mixed: ${hosts[*]}"; exit 4; }
  [ ${#keys[@]} = ${#workers[@]} ] || { echo "keys: ${keys[*]}"; exit 5; }
  looks=$((looks + 1))
done
echo $looks
"""


pytestmark = pytest.mark.xdist_group("cluster")  # test_cluster's


@pytest.fixture(autouse=True)
def whole(cluster: Cluster) -> None:
    """All four are in every list."""
    formed(cluster)


def test_a_reader_never_sees_a_torn_set_in_a_thousand_changes(cluster: Cluster) -> None:
    node = cluster.by_slot()[2]
    node.out("systemctl stop deeplearning-agent; rm -f /run/changed")
    node.out(CHANGES.replace("range(1000)", "range(1)"))
    looked = node.out(f"({CHANGES}\ntouch /run/changed) & {READER}\nwait", timeout=240)
    assert int(looked) > 50
    node.out("systemctl start deeplearning-agent")


def test_hooks_hear_of_changes_and_of_a_spot_notice(cluster: Cluster) -> None:
    node = cluster.by_slot()[3]
    hook = "/opt/deeplearning/on-change.d/10-note"
    node.out(f"printf '#!/bin/bash\\necho \"$@\" >> /var/log/heard\\n' > {hook} && chmod 755 {hook}")
    notice = {"action": "terminate", "time": "2026-01-01T00:02:00Z"}
    known = json.loads((node.host.disk.parent / "metadata.json").read_text())
    node.host.set_metadata({**known, "meta-data/spot/instance-action": notice})
    until(lambda: f"spot-notice {json.dumps(notice)}" in node.out("cat /var/log/heard || true"), LONG)
    node.host.set_metadata(known)
    cluster.by_slot()[2].out(
        "rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -A; systemctl restart deeplearning-agent ssh"
    )
    until(lambda: "change /opt/deeplearning/snapshots/" in node.out("cat /var/log/heard"), LONG)


def test_a_node_that_reboots_keeps_its_index_and_its_files(cluster: Cluster) -> None:
    slot, node = next((slot, node) for slot, node in cluster.by_slot().items() if slot == 4)
    before = node.read("/opt/deeplearning/workers") + node.read("/etc/hosts")
    beat = int(cluster.registry()[str(slot)]["Beat"])
    node.reboot()
    until(lambda: int(cluster.registry()[str(slot)]["Beat"]) > beat + 1, LONG)
    assert cluster.by_slot()[slot] is node
    assert node.read("/opt/deeplearning/workers") + node.read("/etc/hosts") == before
    assert (
        cluster.by_slot()[1].out("ssh deeplearning-worker4 hostname", user="ubuntu").strip() == node.host.name
    )


def test_throttling_and_errors_of_a_fifth_of_all_calls_cost_nothing_but_time(cluster: Cluster) -> None:
    cluster.aws.faults.throttle("dynamodb:*", rate=0.1)
    cluster.aws.faults.unavailable("dynamodb:*", rate=0.1)
    nodes = cluster.by_slot()
    nodes[4].out("rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -A; systemctl restart deeplearning-agent ssh")
    key = nodes[4].read("/etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    until(
        lambda: all(key in each.read("/opt/deeplearning/current/known_hosts") for each in cluster.nodes), LONG
    )
    assert counts(cluster) == ["4"] * 4


def test_a_node_that_is_cut_off_is_left_out_and_comes_back_as_itself(cluster: Cluster) -> None:
    slot, node = next((slot, node) for slot, node in cluster.by_slot().items() if slot == 3)
    others = [each for each in cluster.nodes if each is not node]
    # A file that is mounted, as in a container, cannot be replaced.
    others[0].out("cp /etc/hosts /run/hosts && mount --bind /run/hosts /etc/hosts")
    node.host.unplug()
    until(lambda: [count(each) for each in others] == ["3"] * 3, LONG)
    assert "deeplearning-worker3" not in others[0].read("/etc/hosts")
    assert count(node) == "4"
    node.host.plug()
    until(lambda: counts(cluster) == ["4"] * 4, LONG)
    assert cluster.by_slot()[slot] is node
    assert f"{node.host.address} deeplearning-worker3" in others[0].read("/etc/hosts")


def test_a_replacement_takes_the_dead_workers_index(cluster: Cluster) -> None:
    node = replaced(cluster, 2)
    for other in cluster.nodes:
        assert other.out("ssh deeplearning-worker2 hostname", user="ubuntu").strip() == node.host.name


def test_a_replaced_master_has_the_same_index_and_address(cluster: Cluster) -> None:
    node = replaced(cluster, 1)
    assert node.kind == "Master"
    ec2 = cluster.aws.client("ec2")
    (address,) = ec2.describe_addresses(PublicIps=[cluster.stack.outputs()["MasterAddress"]])["Addresses"]
    instance = ec2.describe_instances(InstanceIds=[node.instance_id])["Reservations"][0]["Instances"][0]
    assert address["NetworkInterfaceId"] == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    for other in cluster.nodes:
        assert other.out("ssh deeplearning-master hostname", user="ubuntu").strip() == node.host.name
