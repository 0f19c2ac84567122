"""Four nodes form a cluster from cold, and it changes: files, variables, ssh from each to each; readers, hooks, reboot,
partition, replacement. In one file, since all of it is done to one cluster.
"""

from __future__ import annotations

import json

import pytest

from .changes import LONG, count, counts, formed, replaced
from .cluster import ROOT, Cluster, until

GOLDEN = ROOT / "tests" / "deep_learning_cluster" / "golden"
SLOTS = [1, 2, 3, 4]
VARIABLES = ["DEEPLEARNING_WORKERS_COUNT=4", "DEEPLEARNING_WORKERS_PATH=/opt/deeplearning/workers",
             "DEEPLEARNING_WORKER_GPU_COUNT=2"]  # fmt: skip
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


@pytest.fixture(autouse=True)
def whole(cluster: Cluster) -> None:
    """All four are in every list."""
    formed(cluster)


def golden(cluster: Cluster, name: str) -> str:
    """A golden file, with the addresses, ids and keys that the hosts have here."""
    text = (GOLDEN / name).read_text()
    for slot, node in cluster.by_slot().items():
        key = node.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        text = text.replace(f"10.0.1.1{slot}", node.host.address).replace(f"KEY{slot}", key)
        text = text.replace(f"NODE{slot}", node.instance_id)
    return text


def test_the_master_is_the_first_and_every_index_is_held_once(cluster: Cluster) -> None:
    nodes = cluster.by_slot()
    assert list(nodes) == SLOTS
    assert nodes[1].kind == "Master"
    assert len({each.instance_id for each in nodes.values()}) == 4
    assert cluster.signals("Master") == {nodes[1].instance_id: "SUCCESS"}
    assert set(cluster.signals("Worker").values()) == {"SUCCESS"}
    assert len(cluster.signals("Worker")) == 3


@pytest.mark.parametrize(
    "name", ["workers", "hostfile", "machinefile", "known_hosts", "deeplearning.sh", "environment"]
)
def test_files_that_are_the_same_on_every_node(cluster: Cluster, name: str) -> None:
    expected = golden(cluster, name)
    assert {each.read(f"/opt/deeplearning/current/{name}") for each in cluster.nodes} == {expected}


def test_hosts_files_name_every_node_and_keep_what_they_had(cluster: Cluster) -> None:
    assert {each.read("/etc/hosts") for each in cluster.nodes} == {golden(cluster, "etc-hosts")}


def test_nodes_json_is_the_same_on_every_node(cluster: Cluster) -> None:
    until(lambda: len({each.read("/opt/deeplearning/nodes.json") for each in cluster.nodes}) == 1, 60)
    expected = json.loads(golden(cluster, "nodes.json"))
    found = json.loads(cluster.nodes[0].read("/opt/deeplearning/nodes.json"))
    assert found["nodes"] == expected["nodes"]
    assert found["epoch"] == int(cluster.registry()["epoch"]["Changes"])


def test_each_node_has_its_own_rank(cluster: Cluster) -> None:
    for slot, node in cluster.by_slot().items():
        expected = golden(cluster, "torchrun.env").replace("NODE_RANK=2", f"NODE_RANK={slot - 1}")
        assert node.read("/opt/deeplearning/torchrun.env") == expected


def test_variables_are_there_in_login_shells_and_in_commands_by_ssh(cluster: Cluster) -> None:
    ask = "env | grep ^DEEPLEARNING | sort"
    master = cluster.by_slot()[1]
    for slot, node in cluster.by_slot().items():
        assert node.out(ask, user="ubuntu").split() == VARIABLES
        assert master.out(f"ssh deeplearning-worker{slot} '{ask}'", user="ubuntu").split() == VARIABLES


def test_each_reaches_each_by_name_without_a_question(cluster: Cluster) -> None:
    """Strictly by the keys of the registry: nobody has a known_hosts of his own."""
    names = {slot: node.out("hostname").strip() for slot, node in cluster.by_slot().items()}
    expected = [names[1], *names.values()]
    loop = "for name in master worker1 worker2 worker3 worker4; do ssh deeplearning-$name hostname < /dev/null; done"
    for node in cluster.nodes:
        assert node.out(loop, user="ubuntu").split() == expected
        assert node.run("ls ~/.ssh/known_hosts", user="ubuntu").returncode
        assert "stricthostkeychecking true" in node.out("ssh -G deeplearning-worker2", user="ubuntu")


def test_the_private_key_is_the_login_users_alone(cluster: Cluster) -> None:
    for node in cluster.nodes:
        assert (
            node.out("stat -c '%a %U' ~/.ssh ~/.ssh/id_ed25519", user="ubuntu") == "700 ubuntu\n600 ubuntu\n"
        )


def test_another_host_key_is_refused_until_its_node_registers_it(cluster: Cluster) -> None:
    nodes = cluster.by_slot()
    nodes[3].out("rm /etc/ssh/ssh_host_ed25519_key* && ssh-keygen -A > /dev/null && systemctl restart ssh")
    refused = nodes[2].run("ssh deeplearning-worker3 true", user="ubuntu")
    assert refused.returncode == 255
    assert b"Host key verification failed" in refused.stderr
    nodes[3].out("systemctl restart deeplearning-agent")
    reach = "ssh deeplearning-worker3 true"
    until(lambda: not any(each.run(reach, user="ubuntu").returncode for each in cluster.nodes), LONG)


def test_an_agent_of_ones_own_can_be_forwarded(cluster: Cluster) -> None:
    script = (
        "ssh-keygen -q -t ed25519 -N '' -C laptop -f /tmp/laptop <<< y > /dev/null; eval $(ssh-agent) > /dev/null;"
        " ssh-add -q /tmp/laptop; ssh -A deeplearning-worker2 'ssh -A deeplearning-worker3 ssh-add -l';"
        " kill $SSH_AGENT_PID"
    )
    assert "laptop (ED25519)" in cluster.by_slot()[1].out(script, user="ubuntu")


def test_the_posts_own_kill_loop(cluster: Cluster) -> None:
    master = cluster.by_slot()[1]
    running = "pgrep -u ubuntu -fc 'python3 -c import time' || true"
    for node in cluster.nodes:
        node.out("python3 -c 'import time; time.sleep(900)' > /dev/null 2>&1 < /dev/null &", user="ubuntu")
    until(lambda: all(node.out(running) == "1\n" for node in cluster.nodes), 20)
    loop = 'while read -u 10 host; do ssh $host "pkill -f python" ; done 10<$DEEPLEARNING_WORKERS_PATH'
    done = master.host.run(["bash", "-c", "cat > /tmp/loop"], input=loop)
    assert done.returncode == 0
    master.run(". /tmp/loop", user="ubuntu")  # on the master it ends its own ssh too, as it always has
    until(lambda: [node.out(running) for node in cluster.nodes] == ["0\n"] * 4, 20)


def test_the_check_finds_all_well_and_then_the_node_that_has_lost_a_gpu(cluster: Cluster) -> None:
    nodes = cluster.by_slot()
    done = nodes[1].run("deeplearning-check", user="ubuntu")
    table = done.stdout.decode()
    assert done.returncode == 0, table + done.stderr.decode()
    assert [name for name in ("worker1", "worker2", "worker3", "worker4") if f"deeplearning-{name} " in table] == [
        "worker1", "worker2", "worker3", "worker4"
    ]  # fmt: skip
    nodes[3].out("echo count=1 > /etc/gpus")
    done = nodes[1].run("deeplearning-check", user="ubuntu")
    nodes[3].out("rm /etc/gpus")
    assert done.returncode == 1
    assert [line for line in done.stdout.decode().splitlines() if "worker3" in line and "gpus" in line]


# Changes


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
