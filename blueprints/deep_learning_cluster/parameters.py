"""What CloudFormation asks for when a deep-learning cluster is deployed."""

from __future__ import annotations

from troposphere import constants as aws

from ..core import Parameter
from ..core.environment import NO_PROXY, PROXY_URL, VPC_ID
from ..core.parameter import IMAGE_FROM_SSM

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_SYSTEM = "bin|boot|dev|etc|home|lib|lib64|opt|proc|root|run|sbin|snap|sys|tmp|usr|var"
_FOLDER = rf"(?!({_SYSTEM})(/|$))[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*"
_FOLDER_WORDS = "letters, digits, _ and -, no slash at the front, no folder of the system"


class ClusterParameters:
    """Parameters of every shape; a template has those that its shape reads."""

    worker_count = Parameter(
        aws.NUMBER,
        "Workers beside the master, which trains too.",
        default="1",
        minimum=1,
        maximum=1000,
        group="Cluster",
        label="Workers",
    )
    min_workers = Parameter(
        aws.NUMBER,
        "Workers that must be ready for the stack to be created; at most WorkerCount.",
        default="1",
        minimum=1,
        maximum=1000,
        group="Cluster",
        label="Workers at least",
    )
    instance_type = Parameter(
        aws.STRING,
        "Type of master and workers.",
        default=lambda self: self.config.instance_type,
        allowed=lambda self: self.config.offered(),
        constraint="a GPU type of the table in deep_learning_cluster/instance_types.py that fits this template",
        group="Cluster",
        label="Instance type",
    )
    capacity_reservation_id = Parameter(
        aws.STRING,
        "Reservation or Capacity Block that the nodes are launched into.",
        pattern=r"cr-[0-9a-f]{8,17}",
        constraint="a reservation id such as cr-0123456789abcdef0",
        group="Cluster",
        label="Capacity reservation",
    )
    image_parameter = Parameter(
        IMAGE_FROM_SSM,
        "SSM parameter that names the image; a newer image replaces nodes when the stack is updated.",
        default=lambda self: f"/aws/service/deeplearning/ami/x86_64/{self.system.image}/latest/ami-id",
        group="Cluster",
        label="Image",
    )
    image_id = Parameter(aws.IMAGE_ID, "Image of all nodes.", group="Cluster", label="Image")
    volume_size = Parameter(
        aws.NUMBER,
        "Size of each root volume in GiB.",
        default="150",
        minimum=100,
        maximum=16384,
        group="Cluster",
        label="Root volume",
    )
    key_name = Parameter(aws.KEY_PAIR_NAME, "Key pair of whoever logs in.", group="Access", label="Key pair")
    ssh_location = Parameter(
        aws.STRING,
        "IPv4 network that may connect to the master by SSH.",
        pattern=rf"({_OCTET}\.){{3}}{_OCTET}/([89]|[12][0-9]|3[0-2])",
        constraint="an IPv4 network of /8 to /32, such as 198.51.100.0/24",
        group="Access",
        label="SSH from",
        name="SSHLocation",
    )
    vpc_id = VPC_ID
    proxy_url = PROXY_URL
    no_proxy = NO_PROXY
    availability_zone = Parameter(
        aws.STRING,
        "Zone of all nodes; the region's first if left empty.",
        default="",
        pattern=r"([a-z]{2}(-[a-z0-9]+)+-[0-9]+[a-z])?",
        constraint="the name of a zone of this region, or nothing",
        group="Network",
        label="Zone",
    )
    public_subnet_id = Parameter(
        aws.SUBNET_ID,
        "Subnet of the master, with a route to an internet gateway.",
        group="Network",
        label="Public subnet",
    )
    private_subnet_id = Parameter(
        aws.SUBNET_ID, "Subnet of the workers, with a way out.", group="Network", label="Private subnet"
    )
    efs_file_system_id = Parameter(
        aws.STRING,
        "EFS file system to mount.",
        pattern=r"fs-([0-9a-f]{8}|[0-9a-f]{17})",
        constraint="a file system id such as fs-0123456789abcdef0",
        group="Storage",
        label="EFS file system",
        name="EFSFileSystemId",
    )
    efs_mount_point = Parameter(
        aws.STRING,
        "Folder below / where EFS is mounted.",
        default="efs",
        pattern=_FOLDER,
        constraint=_FOLDER_WORDS,
        group="Storage",
        label="EFS mount point",
        name="EFSMountPoint",
    )
    file_system_security_group_id = Parameter(
        aws.SECURITY_GROUP_ID,
        "Security group of the file system that exists; it gets rules that admit the nodes.",
        group="Storage",
        label="File system's security group",
    )
    fsx_file_system_id = Parameter(
        aws.STRING,
        "FSx for Lustre file system to mount.",
        pattern=r"fs-[0-9a-f]{17}",
        constraint="a file system id such as fs-0123456789abcdef0",
        group="Storage",
        label="FSx file system",
        name="FSxFileSystemId",
    )
    fsx_mount_name = Parameter(
        aws.STRING,
        "Mount name of that file system.",
        pattern=r"[A-Za-z0-9_-]{1,8}",
        constraint="the mount name that FSx shows",
        group="Storage",
        label="FSx mount name",
        name="FSxMountName",
    )
    fsx_mount_point = Parameter(
        aws.STRING,
        "Folder below / where FSx is mounted.",
        default="fsx",
        pattern=_FOLDER,
        constraint=_FOLDER_WORDS,
        group="Storage",
        label="FSx mount point",
        name="FSxMountPoint",
    )
    fsx_storage_capacity = Parameter(
        aws.NUMBER,
        "Size of a new file system in GiB: 1200, or a multiple of 2400.",
        default="1200",
        minimum=1200,
        group="Storage",
        label="FSx capacity",
        name="FSxStorageCapacity",
    )
