"""Jobs on the formed cluster, begun by the commands of the README: a parameter server, all-reduce, torchrun."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from blueprints.local.hosts import end
from scripts.foreign import environments
from scripts.foreign.environments import UnavailableError

from .changes import formed, replaced
from .cluster import GPUS, ROOT, Cluster, Node, figure, until

JOBS = Path(__file__).parent / "jobs"
README = ROOT / "blueprints" / "deep_learning_cluster" / "README.md"
SNAPSHOT = "at=.*# one snapshot"
RANKS = 4 * GPUS
# The hosts' loopback has the metadata's address too, which Open MPI would offer to others.
TCP = "--mca btl self,tcp --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0"


@pytest.fixture(autouse=True)
def whole(cluster: Cluster) -> None:
    """All four are in every list."""
    formed(cluster)


@pytest.fixture
def torch() -> None:
    """The image has torch. Not everybody's machine can."""
    try:
        environments.python("torch")
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"torch cannot be installed: {error}")


def command(begins: str) -> str:
    """A command of the README, by how it begins; with the lines that go on with it."""
    block = re.search(rf"^\$ ({begins}.*(?:\n> .*)*)", README.read_text(), re.MULTILINE)
    assert block, f"the README has no command that begins with {begins}"
    return re.sub(r"\s{2,}#.*", "", block[1].replace("\n> ", "\n"))


def upload(node: Node, *names: str) -> None:
    """Put programs of the user's into the home of the login user."""
    for name in names:
        done = node.host.run(
            ["bash", "-c", f"cat > /home/ubuntu/{name} && chmod 755 /home/ubuntu/{name}"],
            input=(JOBS / name).read_bytes(),
        )
        assert done.returncode == 0


def spread(master: Node, name: str) -> None:
    """Copy a program to all nodes, as a user does: by the list and the cluster's key."""
    loop = f"while read -u 10 host; do [ $host = deeplearning-worker1 ] || scp -q {name} $host: ; done"
    master.out(f"{loop} 10< $DEEPLEARNING_WORKERS_PATH", user="ubuntu")


def results(text: str) -> list[dict[str, Any]]:
    """What ranks printed, in their order; it may begin and end within a line of another's."""
    read = json.JSONDecoder().raw_decode
    found = [read(text, match.start())[0] for match in re.finditer(r'\{"rank"', text)]
    return sorted(found, key=lambda each: each["rank"])


def names(cluster: Cluster) -> set[str]:
    """The nodes' own host names."""
    return {each.host.name for each in cluster.nodes}


def test_a_parameter_server_job_by_a_launcher_in_the_manner_of_mxnets(cluster: Cluster) -> None:
    master = cluster.by_slot()[1]
    upload(master, "launch.py", "regression.py")
    spread(master, "regression.py")
    told = command("launch.py").replace("train.py --kv-store dist_sync", "regression.py")
    found = results(master.out(f"{command(SNAPSHOT)}; PATH=$PATH:~; {told}", user="ubuntu", timeout=120))
    assert [each["rank"] for each in found] == [0, 1, 2, 3]
    assert {each["host"] for each in found} == names(cluster)
    assert len({str(each["weights"]) for each in found}) == 1
    assert all(each["losses"][-1] < each["losses"][0] / 100 for each in found)


def test_all_reduce_by_mpirun_over_the_hostfile(cluster: Cluster) -> None:
    master = cluster.by_slot()[1]
    upload(master, "all_reduce.py")
    spread(master, "all_reduce.py")
    told = command("mpirun").replace("mpirun", f"mpirun {TCP}").replace("train.py", "all_reduce.py")
    found = results(master.out(f"{command(SNAPSHOT)}; {told}", user="ubuntu", timeout=120))
    assert [(each["rank"], each["size"]) for each in found] == [(rank, RANKS) for rank in range(RANKS)]
    assert all(each["sums"] == [sum(range(1, RANKS + 1))] for each in found)
    hosts = [each["host"] for each in found]
    assert {name: hosts.count(name) for name in names(cluster)} == dict.fromkeys(names(cluster), GPUS)


def trained(found: list[dict[str, Any]], cluster: Cluster) -> None:
    """All ranks have ended with the same weights and a loss that fell, on all nodes."""
    assert [each["rank"] for each in found] == list(range(RANKS))
    assert {each["host"] for each in found} == names(cluster)
    assert len({str(each["weights"]) for each in found}) == 1
    assert all(each["last"] < each["first"] / 10 for each in found)


def torchrun(master: Node, steps: int, hosts: str = "$at/workers") -> subprocess.Popen[bytes]:
    """Begin the README's loop on the master, for the hosts of a file; ranks write to ~/job-FILE.log."""
    loop = command("while read -u 10 host; do.*# torchrun").replace("10< $at/workers", f"10< {hosts}")
    loop, name = loop.replace("train.py", f"train.py {steps}"), f"job-{Path(hosts).name}"
    done = master.host.run(["tee", f"/home/ubuntu/{name}.sh"], input=f"{command(SNAPSHOT)}\n{loop}\n")
    assert done.returncode == 0
    return master.host.start([*master.shell("ubuntu"), f"bash {name}.sh > {name}.log 2>&1"])


def finished(job: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end of a loop, which is hung after so many seconds."""
    try:
        job.wait(seconds)
    finally:
        end(job)


def test_a_training_job_by_torchrun_goes_on_when_a_worker_is_replaced(cluster: Cluster, torch: None) -> None:
    """On the replacement the user, or a hook, begins torchrun again; its ranks get the state from the others."""
    master = cluster.by_slot()[1]
    upload(master, "train.py")
    spread(master, "train.py")
    survivors = torchrun(master, 80)
    begun = "ls checkpoint-job-*.pt 2> /dev/null | wc -l"
    until(lambda: all(each.out(begun, user="ubuntu") == f"{GPUS}\n" for each in cluster.nodes), 120)
    replaced(cluster, 3)
    spread(master, "train.py")
    master.out("echo deeplearning-worker3 > replaced", user="ubuntu")
    newcomer = torchrun(master, 80, "~/replaced")
    for each in (newcomer, survivors):
        finished(each, 240)
    told = master.out("cat job-workers.log job-replaced.log", user="ubuntu")
    found = results(told)
    assert found, told
    trained(found, cluster)
    steps = {each["begun"] for each in found}
    assert len(steps) == 1
    assert 0 < min(steps) < 80
    figure(f"a job of 80 steps went on from step {min(steps)} after a worker had been replaced")
