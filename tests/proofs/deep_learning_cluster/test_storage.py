"""A shared file system is mounted before a node joins, belongs to whoever logs in, and is there after a reboot."""

from __future__ import annotations

from pathlib import Path

from blueprints.local.hosts import Network

from .cluster import begin, rendered
from .conftest import CONFIG, PARAMETERS

# mount(8) calls it for a file system of type nfs4; here the server is a folder of the host.
HELPER = """#!/bin/bash
echo "$*" >> /var/log/mounted
mkdir -p /var/server && mount --bind /var/server "$2"
"""


def test_efs_is_there_now_and_after_a_reboot(network: Network, folder: Path) -> None:
    parameters = {**PARAMETERS, "WorkerCount": 1, "MinWorkers": 1}
    cluster = begin(network, rendered(folder, {**CONFIG, "storage": {"kind": "efs"}}, parameters))
    with cluster.aws:
        cluster.power_on()
        (node,) = (each for each in cluster.nodes if each.kind == "Worker")
        done = node.host.run(
            ["bash", "-c", "cat > /sbin/mount.nfs4 && chmod 755 /sbin/mount.nfs4"], input=HELPER
        )
        assert done.returncode == 0
        assert cluster.boot([node]) == {node.instance_id: 0}, node.read("/var/log/cloud-init-output.log")
        system = cluster.stack.physical["FileSystem"].ref
        assert node.read("/var/log/mounted").startswith(f"{system}.efs.us-east-1.amazonaws.com:/ /efs ")
        assert "phase join" in node.read("/var/log/deeplearning-boot.log").partition("phase storage")[2]
        node.out("echo kept > /efs/file", user="ubuntu")
        assert node.out("echo $EFS_MOUNT", user="ubuntu") == "/efs\n"
        node.reboot()
        assert node.out("mountpoint /efs && cat /efs/file", user="ubuntu").endswith("kept\n")
        assert len(node.read("/var/log/mounted").splitlines()) == 2
        cluster.off()
