"""A cluster of emulated hosts: the stack deployed into the emulated AWS, and a host for each of its instances.

A host is fed with the user data that AWS would deliver to its instance, and with nothing else of ours. What an image
and EC2 give it is here: the login user, sshd with keys of its own, the AWS CLI, metadata with the role's credentials,
and a name for its address.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blueprints.local.aws import Aws
from blueprints.local.deployment import deploy
from blueprints.local.hosts import Host, HostError, Network, awscli, end
from blueprints.local.place import Place
from blueprints.local.stack import Stack
from scripts.foreign import environments

from . import dns

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
SCRIPT = "/var/lib/cloud/instance/scripts/part-001"
CONSOLE = "/var/log/cloud-init-output.log"
LOG = "/var/log/deeplearning-boot.log"
JOURNAL = "/var/log/deeplearning-agent.journal"
ROLE = "meta-data/iam/security-credentials/node"
SYSTEMCTL = "/usr/local/bin/systemctl"
MOUNT = "/usr/sbin/mount.nfs4"
# mount(8) calls it for a file system of type nfs4; here the server is a folder of the host.
NFS = """#!/bin/bash
echo "$*" >> /var/log/mounted
mkdir -p /var/server && mount --bind /var/server "$2"
"""
GPUS = 2
# Lists GPUs, or gives the figures asked for of each; /etc/gpus has how many there are and how busy.
NVIDIA = f"""#!/bin/bash
count={GPUS} busy=50
[ ! -e /etc/gpus ] || . /etc/gpus
for n in $(seq 0 $((count - 1))); do
  case $1 in
    -L) echo "GPU $n: NVIDIA L4 (UUID: GPU-$n)" ;;
    --query-gpu=utilization.gpu,memory.used,memory.total) echo "$busy, 1024, 23034" ;;
    --query-gpu=driver_version) echo 570.133.20 ;;
    *) exit 1 ;;
  esac
done
"""
PARENTS = [
    each
    for path in (environments.FOREIGN, Path(sys.executable).resolve())
    for each in path.parents
    if each != Path("/") and each.is_dir()
]
# Programs of the image that are others here.
PROGRAMS = {
    **awscli.programs(environments.FOREIGN / "aws"),
    SYSTEMCTL: (HERE / "systemctl.py").read_text(),
    MOUNT: NFS,
    "/usr/bin/nvidia-smi": NVIDIA,
}
SHOWN = [str(environments.FOREIGN / name) for name in ("aws", "torch")]


def rendered(
    folder: Path, config: Mapping[str, Any], parameters: Mapping[str, Any], **environment: bool
) -> Stack:
    """A stack through stack file and template, as a user would have it."""
    (folder / "stacks" / "proof").mkdir(parents=True)
    (folder / "stacks" / "proof" / "environment.yaml").write_text(yaml.safe_dump(environment))
    stack = {
        "blueprint": "blueprints.deep_learning_cluster:DeepLearningCluster",
        "config": {"image": {"source": "pinned"}, **config},
        "parameters": {"ImageId": "ami-12c6146b", **parameters},
    }
    (folder / "stacks" / "proof" / "training.yaml").write_text(yaml.safe_dump(stack))
    done = subprocess.run(
        [sys.executable, "-m", "blueprints", "render", "--stacks", "stacks", "--out", "templates"],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stem = folder / "templates" / "proof" / "training"
    return Stack.read(stem.with_suffix(".yaml"), Path(f"{stem}.parameters.json"), Place("training"))


def altered(stack: Stack, *changes: tuple[str, str]) -> Stack:
    """The same stack of a template that differs by some texts."""
    text = Path(stack.file).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    values = {name: value for name, value in stack.resolver.parameters.items() if isinstance(value, str)}
    return Stack(text, values, stack.place)


@dataclass
class Node:
    """One instance: its id, and the host that stands for it."""

    kind: str
    instance_id: str
    host: Host
    made: float = field(default_factory=time.time)

    def out(self, script: str, user: str = "root", timeout: float = 60) -> str:
        """What a command prints, in a login shell of a user. Fails with what it said."""
        done = self.run(script, user, timeout)
        assert done.returncode == 0, f"{script}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def run(self, script: str, user: str = "root", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        """Run a command in a login shell of a user."""
        return self.host.run([*self.shell(user), script], timeout=timeout)

    def shell(self, user: str) -> list[str]:
        """A user's login shell, in his home; the command is to follow."""
        if user == "root":
            return ["bash", "-lc"]
        home = f"/home/{user}"
        become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "env", f"--chdir={home}"]
        return [*become, f"HOME={home}", f"USER={user}", "bash", "-lc"]

    def read(self, path: str) -> str:
        """A file of the host."""
        return self.out(f"cat {shlex.quote(path)}")

    def reboot(self) -> None:
        """As an instance does: what is enabled starts again, and user data does not run."""
        self.host.reboot()
        self.out("systemctl boot")


@dataclass
class Cluster:
    """A deployed stack and its nodes."""

    network: Network
    aws: Aws
    stack: Stack
    nodes: list[Node] = field(default_factory=list[Node])

    def group(self, kind: str) -> dict[str, Any]:
        """The Auto Scaling group of a kind, as AWS has it."""
        name = self.stack.physical[f"{kind}AutoScalingGroup"].ref
        asked = self.aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return asked["AutoScalingGroups"][0]

    def power_on(self, *kinds: str) -> list[Node]:
        """A host for each instance that has none yet, of some kinds or of both."""
        known = {each.instance_id for each in self.nodes}
        made: list[Node] = []
        for kind in kinds or ("Master", "Worker"):
            ids = [each["InstanceId"] for each in self.group(kind)["Instances"]]
            made += [self._node(kind, each) for each in ids if each not in known]
        self.nodes += made
        return made

    def _node(self, kind: str, instance_id: str) -> Node:
        host = self.network.host(
            dns.host_name(self.network),
            hidden=[str(ROOT)],
            shown=[each for each in SHOWN if os.path.isdir(each)],
            files={
                "/etc/resolv.conf": dns.resolv_conf(self.network),
                "/root/.bash_profile": "",  # in place of what this machine's root has
                **PROGRAMS,
            },
        )
        host.set_metadata(self._metadata(kind, instance_id, host.address))
        node, endpoint = Node(kind, instance_id, host), self.aws.endpoint_at(self.network.gateway)
        node.out(
            "rm -rf /etc/ssh/ssh_host_* /etc/systemd/system/*.wants && ssh-keygen -A > /dev/null"
            " && useradd --create-home --shell /bin/bash --password '*' ubuntu"
            f" && mkdir -p /root/.aws $(dirname {SCRIPT})"
            f" && ln -sf {environments.FOREIGN}/torch/bin/torchrun /usr/local/bin/"
            f" && printf '[default]\\nendpoint_url = {endpoint}\\n' > /root/.aws/config"
            # The programs of these environments are the login user's too, wherever this checkout is.
            f" && cp -r /root/.aws /home/ubuntu/ && chmod a+x {' '.join(map(str, PARENTS))}"
            " && systemctl enable ssh && systemctl boot"
        )
        script = self.stack.user_data(f"{kind}LaunchTemplate")
        done = host.run(["bash", "-c", f"cat > {SCRIPT} && chmod 755 {SCRIPT}"], input=script)
        assert done.returncode == 0, done.stderr
        return node

    def _tag(self, kind: str, interface: str) -> None:
        """EC2 tags interfaces as the launch template says; moto does not."""
        data = self.stack.properties(f"{kind}LaunchTemplate")["LaunchTemplateData"]
        tags = next(each for each in data["TagSpecifications"] if each["ResourceType"] == "network-interface")
        self.aws.client("ec2").create_tags(Resources=[interface], Tags=tags["Tags"])

    def _metadata(self, kind: str, instance_id: str, address: str) -> dict[str, object]:
        """What EC2 tells an instance, with the address that it has here."""
        found = self.aws.client("ec2").describe_instances(InstanceIds=[instance_id])
        instance = found["Reservations"][0]["Instances"][0]
        mac, interface = "02:00:00:00:00:01", instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self._tag(kind, interface)
        keys = self.aws.credentials(instance_id)
        return {
            "meta-data/instance-id": instance_id,
            "meta-data/instance-type": "g6.12xlarge",
            "meta-data/local-ipv4": address,
            "meta-data/mac": mac,
            f"meta-data/network/interfaces/macs/{mac}/interface-id": interface,
            ROLE: {
                "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
                "AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                "Token": "token", "Expiration": "2099-01-01T00:00:00Z",
            },
        }  # fmt: skip

    def boot(self, nodes: Iterable[Node], timeout: float = 240) -> dict[str, int]:
        """Run the user data of all at once; their exit statuses by instance id."""
        running = {
            each.instance_id: each.host.start(["bash", "-c", f"{SCRIPT} > {CONSOLE} 2>&1"]) for each in nodes
        }
        deadline = time.monotonic() + timeout
        try:
            return {name: each.wait(max(0.1, deadline - time.monotonic())) for name, each in running.items()}
        finally:
            for each in running.values():
                end(each)

    def off(self) -> None:
        """Power all of it off."""
        for each in self.nodes:
            each.host.power_off()

    def told(self) -> str:
        """What the registry and the nodes that are on say, to find out why something did not hold."""
        self.aws.faults.clear()
        lines = [f"{slot}: {item}" for slot, item in sorted(self.registry().items())]
        for each in self.nodes:
            lines.append(f"{each.kind} {each.instance_id} {each.host.name} {each.host.address}")
            with suppress(HostError):
                looks = f"grep deeplearning /etc/hosts; tail -n 40 {LOG} {CONSOLE} {JOURNAL} 2> /dev/null"
                lines.append(each.run(looks).stdout.decode(errors="replace"))
        return "\n".join(lines)

    def waiting(self, kind: str) -> dict[str, Any]:
        """What CloudFormation waits for at a group, and how far it is."""
        return next(each for each in self.aws.signals() if each["resource"] == f"{kind}AutoScalingGroup")

    def signals(self, kind: str) -> dict[str, str]:
        """Signals to a group so far, by instance id."""
        return {each["unique_id"]: each["status"] for each in self.waiting(kind)["signals"]}

    def registry(self) -> dict[str, dict[str, Any]]:
        """The registry's items by slot, as plain values."""
        table = self.stack.physical["RegistryTable"].ref
        items = self.aws.client("dynamodb").scan(TableName=table)["Items"]
        return {
            each["Slot"]["S"]: {name: next(iter(value.values())) for name, value in each.items()}
            for each in items
        }

    def node(self, instance_id: str) -> Node:
        """The node of an instance."""
        return next(each for each in self.nodes if each.instance_id == instance_id)

    def by_slot(self) -> dict[int, Node]:
        """Nodes by their index, of slots whose holders have a host."""
        held = {int(slot): each["Node"] for slot, each in self.registry().items() if slot != "epoch"}
        here = {each.instance_id: each for each in self.nodes}
        return {slot: here[held[slot]] for slot in sorted(held) if held[slot] in here}


def begin(network: Network, stack: Stack, instances: int | None = None) -> Cluster:
    """Deploy a stack; its instances have no hosts yet. `instances` is how many EC2 has of their type."""
    aws = Aws(addresses=[network.gateway])
    kind = str(stack.resolver.parameters["InstanceType"])
    if instances is not None:
        aws.limit_launches(kind, 0)
    deploy(stack, aws)
    if instances is not None:
        aws.limit_launches(kind, instances)
    return Cluster(network, aws, stack)


def until(holds: Callable[[], bool], seconds: float, pause: float = 0.5) -> float:
    """Wait until something holds; the seconds that took. Fails after `seconds`, to end a hang."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"does not hold after {seconds} s"
        time.sleep(pause)
    return time.monotonic() - began


def figure(text: str) -> None:
    """One line of the print-out, from which times and rates are judged."""
    print(text)  # noqa: T201 - to be read


def available() -> str:
    """Why no cluster can be made here; empty where one can."""
    from blueprints.local.hosts import unavailable

    missing = [
        each for each in ("/usr/sbin/sshd", "/usr/sbin/named", "/usr/bin/python3") if not os.path.exists(each)
    ]
    return unavailable() or (
        f"no {missing[0]}; apt-get install openssh-server bind9 python3" if missing else ""
    )
