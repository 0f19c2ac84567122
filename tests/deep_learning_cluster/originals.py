"""What was wrong with the originals' cluster, and their logic and their template as briefly as it shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

# The rows of the parity page's table, in its order.
DEFECTS = {
    "1e.1": "nodes that stay never hear of one that was replaced or added",
    "1e.2": "replacing of failed workers is suspended once the cluster is whole, and never resumed",
    "1e.3": "a replaced master waits for two messages, gets one and gives up; its address is another",
    "1e.4": "a replaced worker reads the list of the cluster it was not part of, or after four days none",
    "1e.5": "one refused launch cuts the size asked for to what is there, or rolls the stack back",
    "1e.6": "the wait for instances compares the wrong way round: it ends at once, or never",
    "1e.7": "a failed set-up counts as success, and workers tell nobody how theirs went",
    "1e.8": "the master's group is signalled when EC2 has launched it, before it has booted",
    "1e.9": "a missing line break turns the workers' SSH setting into a comment",
    "1e.10": "one image asks the workers for its own package manager and the master for another's",
    "1e.11": "a time-out ends in a TypeError, an empty list means everybody, and text is run as code",
    "1e.12": "types that are not in a fixed list have no GPU",
    "1e.13": "addresses are sorted as text, so that the first of the list may be any node",
    "1e.14": "files are appended to, and a second run doubles their lines",
    "1e.15": "nodes reach each other with the key of a laptop that has to stay connected; host keys are unknown",
    "1e.16": "the master's address is looked up by hand, and networks that cannot exist are taken",
    "1e.17": "that a quota is too small is found out by the failure",
    "1e.18": "images, scripts and types of resources that are no longer to be had",
    "1e.19": "no placement group, no EFA, two protocols between nodes",
    "1e.20": "no Spot, one instance type",
    "1e.21": "a file system that exists is refused, and a mount that works is gone after a reboot",
    "1e.22": "the set-up runs once, so that a node must not be restarted",
    "1e.23": "variables are set in login shells alone, not in commands by ssh",
    "1e.24": "workers must be one or an even number, and of the archives accepted half is unpacked",
}

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
POLL, BUDGET, KEPT = 30, 2700, 4 * 86_400


class Cluster:
    """The second original: two queues, a function that hears of launches, and a set-up at the first boot alone."""

    def __init__(self, workers: int) -> None:
        self.sizes = {"Master": 1, "Worker": workers}
        self.running: dict[str, tuple[str, str]] = {}
        self.left: dict[str, int] = {}
        self.heard: dict[str, set[str]] = {}
        self.to_master, self.to_workers = list[str](), list[Any]()
        self.lists: dict[str, dict[str, str]] = {}

    def boot(self, name: str, address: str, *, master: bool = False) -> None:
        kind = "Master" if master else "Worker"
        self.running[name], self.left[name], self.heard[name] = (kind, address), BUDGET, set()
        if [each for each, _ in self.running.values()].count(kind) == self.sizes[kind]:
            self.to_master.append(kind)

    def die(self, name: str) -> None:
        del self.running[name]
        self.left.pop(name, None)

    def reboot(self, name: str) -> None:
        """Nothing of it runs again."""

    def passes(self, seconds: int) -> None:
        if seconds >= KEPT:
            self.to_master, self.to_workers = [], []
        for _ in range(min(seconds, BUDGET + POLL) // POLL):
            for name in list(self.left):
                self.poll(name)

    def poll(self, name: str) -> None:
        kind, _ = self.running[name]
        self.left[name] -= POLL
        found = self.gathered(name) if kind == "Master" else self.read()
        if not found and self.left[name] > 0:
            return
        del self.left[name]
        if not found and kind == "Master":
            return  # it exits with status 1, which nobody sees
        head, addresses = found
        aliases = {f"deeplearning-worker{number}": each for number, each in enumerate(addresses, start=1)}
        self.lists[name] = {"deeplearning-master": head, **aliases}

    def gathered(self, name: str) -> Any:
        self.heard[name].update(self.to_master)
        self.to_master = []
        if len(self.heard[name]) < 2:
            return None
        self.to_workers.append((self.running[name][1], sorted(each for _, each in self.running.values())))
        return self.to_workers[-1]

    def read(self) -> Any:
        """A message, which stays where it is."""
        return self.to_workers[0] if self.to_workers else None

    def hosts(self, name: str) -> dict[str, str]:
        return self.lists[name]


def hears_of_launches(call: Call, launched: int, desired: int, *, error: bool) -> None:
    """The function: what it does to a group of workers after a launch, or one that was refused."""
    if error:
        call("autoscaling set-desired-capacity", {"DesiredCapacity": launched})
    if error or launched == desired:
        call("autoscaling suspend-processes", {"ScalingProcesses": ["ReplaceUnhealthy"]})


def wait_until_active(pending: Callable[[], bool], now: Callable[[], float], sleep: Any) -> None:
    began = now()
    while pending():
        if now() - began < BUDGET:  # meant the other way round
            break
        sleep(POLL)


def addresses_of(ec2: Any, ids: list[str]) -> list[str]:
    """To EC2, an empty list is no filter."""
    found = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    return [each["PrivateIpAddress"] for part in found for each in part["Instances"]]


def gpus(kind: str) -> int:
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return len(listed.stdout.splitlines()) if kind in ("g2.2xlarge", "g2.8xlarge", "p2.xlarge") else 0


def append_hosts(root: Path, addresses: list[str]) -> None:
    with open(root / "etc/hosts", "a") as file:
        for number, address in enumerate(addresses, start=1):
            file.write(f"{address} deeplearning-worker{number}\n")


def refuses(workers: int) -> bool:
    """Whether the start script of a job does."""
    return workers != 1 and workers % 2 == 1


HANDLER = """
def heard(kind, launched):
    if launched is 2:
        eval("on_" + kind)(launched)
def on_terminate_error():
    print("nothing to do")
"""

# What tells CloudFormation that a master is there, when EC2 says so; and what either node boots with.
LAUNCHED = """
aws cloudformation signal-resource --logical-resource-id MasterAutoScalingGroup --unique-id i-1 --status SUCCESS
"""
BOOT = """#!/bin/bash -xe
mkdir -p /opt/deeplearning
python3 -m setup | tee -a /var/log/cloud-init-output.log
"""

MASTER_SSH = """#!/bin/bash -xe
# agent forwarding
sed -i 's/^# *ForwardAgent *no/ForwardAgent yes/' /etc/ssh/ssh_config
"""
WORKER_SSH = """#!/bin/bash -xe
# agent forwarding sed -i 's/^# *ForwardAgent *no/ForwardAgent yes/' /etc/ssh/ssh_config
"""

NFS = """#!/bin/bash -e
case $NODE_TYPE:$SYSTEM in
  *:AmazonLinux | Worker:AmazonLinux2) yum install -y nfs-utils ;;
  *) apt-get install -y nfs-common ;;
esac
"""
MOUNT = """#!/bin/bash -e
mkdir -p "$STORAGE_MOUNT"
mount -t nfs4 -o nfsvers=4.1,hard,timeo=600,retrans=2 "$STORAGE_SOURCE" "$STORAGE_MOUNT"
"""
PROFILE = """#!/bin/bash -e
echo "export DEEPLEARNING_WORKERS_COUNT=4" >> /etc/profile.d/deeplearning.sh
"""

TEMPLATE: dict[str, Any] = yaml.safe_load("""
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  KeyName: {Type: AWS::EC2::KeyPair::KeyName}
  WorkerCount: {Type: Number, Default: 1}
  InstanceType: {Type: String, Default: p3.2xlarge}
  SSHLocation: {Type: String, AllowedPattern: '([0-9]{1,3}[.]){3}[0-9]{1,3}/[0-9]{1,2}'}
  EFSFileSystemId: {Type: String, Default: '', AllowedPattern: '(fs-[0-9a-f]{8})?'}
  TarData: {Type: String, AllowedPattern: '.+[.]tar([.]gz)?'}
Mappings:
  Images: {us-west-2: {Ubuntu: ami-0a1b2c3d}}
Conditions:
  NewFileSystem: {'Fn::Equals': [{Ref: EFSFileSystemId}, '']}
Resources:
  SSHSecurityGroup:
    Type: AWS::EC2::SecurityGroup
    Properties:
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: {Ref: SSHLocation}}]
  WorkerSecurityGroup: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: workers}}
  TcpIngress:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: {Ref: WorkerSecurityGroup}
      SourceSecurityGroupId: {Ref: WorkerSecurityGroup}
      IpProtocol: tcp
      FromPort: 0
      ToPort: 65535
  NatEip: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}}
  NatGateway:
    Type: AWS::EC2::NatGateway
    Properties: {AllocationId: {'Fn::GetAtt': [NatEip, AllocationId]}, SubnetId: {Ref: PublicSubnet}}
  PublicSubnet: {Type: AWS::EC2::Subnet, Properties: {CidrBlock: 10.0.0.0/24}}
  NodeLaunchConfiguration:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties:
      ImageId: {'Fn::FindInMap': [Images, {Ref: 'AWS::Region'}, Ubuntu]}
      InstanceType: {Ref: InstanceType}
      KeyName: {Ref: KeyName}
      BlockDeviceMappings: [{DeviceName: /dev/sda1, Ebs: {VolumeSize: 100, VolumeType: gp2}}]
  MasterAutoScalingGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    CreationPolicy: {ResourceSignal: {Count: '1', Timeout: PT600S}}
    Properties: &group
      LaunchConfigurationName: {Ref: NodeLaunchConfiguration}
      MinSize: '1'
      MaxSize: '1'
      DesiredCapacity: '1'
  WorkerAutoScalingGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {<<: *group, MinSize: '0', MaxSize: {Ref: WorkerCount}, DesiredCapacity: {Ref: WorkerCount}}
  MetadataFunction: {Type: AWS::Lambda::Function, Properties: {Runtime: python2.7, Handler: index.handler}}
  MetadataFunctionRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
      - PolicyDocument:
          Statement: [{Effect: Allow, Action: ['autoscaling:SuspendProcesses'], Resource: '*'}]
  FileSystem: {Type: AWS::EFS::FileSystem, Condition: NewFileSystem, DeletionPolicy: Retain}
  MountTarget:
    Type: AWS::EFS::MountTarget
    Properties:
      FileSystemId: {'Fn::If': [NewFileSystem, {Ref: FileSystem}, {Ref: EFSFileSystemId}]}
      SubnetId: {Ref: PublicSubnet}
Outputs:
  AdminSSHSecurityGroup: {Value: {Ref: SSHSecurityGroup}}
  MasterAutoScalingGroup: {Value: {Ref: MasterAutoScalingGroup}}
""")
