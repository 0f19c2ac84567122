"""What CloudFormation asks for when a backup system is deployed."""

from __future__ import annotations

from troposphere import constants as aws

from ..core import Parameter
from ..core.environment import NO_PROXY, PROXY_URL, VPC_ID
from . import scripts


class BackupParameters:
    """Parameters of every shape; a template has those that its shape reads."""

    auto_scaling_group_name = Parameter(
        aws.STRING,
        "Auto Scaling group to back up.",
        pattern=scripts.GROUP_NAME,
        constraint="a group's name of letters, digits and . _ / -",
        group="Group",
        label="Group",
    )
    instance_role_name = Parameter(
        aws.STRING,
        "Role of its instances, which may then write backups.",
        pattern=r"[A-Za-z0-9+=,.@_-]{1,64}",
        constraint="the name of a role, without its path",
        group="Group",
        label="Instances' role",
    )
    vpc_id = VPC_ID
    subnet_ids = Parameter(
        aws.LIST_OF_SUBNET_IDS,
        "Subnets of that VPC that reach Systems Manager and S3.",
        group="Network",
        label="Subnets",
    )
    proxy_url = PROXY_URL
    no_proxy = NO_PROXY
    min_size = Parameter(
        aws.NUMBER,
        "Instances that the group keeps at least.",
        default="1",
        minimum=0,
        maximum=1000,
        group="Group",
        label="Instances at least",
    )
    max_size = Parameter(
        aws.NUMBER,
        "Instances that the group has at most.",
        default="3",
        minimum=1,
        maximum=1000,
        group="Group",
        label="Instances at most",
    )
    instance_type = Parameter(
        aws.STRING,
        "Type of the instances, of the image's architecture.",
        default="t3.micro",
        pattern=r"[a-z0-9-]+\.[a-z0-9-]+",
        constraint="an instance type such as t3.micro",
        group="Group",
        label="Instance type",
    )
    image_parameter = Parameter.image(
        "SSM parameter that names the image; an update of the stack takes the newest.",
        default="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        group="Group",
        label="Image",
    )
    volume_size = Parameter(
        aws.NUMBER,
        "Size of each root volume in GiB.",
        default="8",
        minimum=8,
        maximum=16384,
        group="Group",
        label="Root volume",
    )
    backup_directories = Parameter(
        aws.STRING,
        "Folders and files, separated by commas; empty runs the task alone.",
        default="/var/log",
        pattern=scripts.PATHS,
        constraint="absolute paths without quotes, backslashes and braces",
        group="Backup",
        label="Folders",
    )
    exclude_patterns = Parameter(
        aws.STRING,
        "What to leave out: patterns of tar, separated by commas.",
        default="",
        pattern=scripts.PATTERNS,
        constraint="patterns separated by commas, without quotes, backslashes and braces",
        group="Backup",
        label="Leave out",
    )
    task_command = Parameter(
        aws.STRING,
        "Shell command to run first, such as one that drains a worker.",
        default="",
        pattern=scripts.COMMAND,
        constraint="one line without single quotes and braces",
        group="Backup",
        label="Task",
    )
    backup_prefix = Parameter(
        aws.STRING,
        "First part of the key of every backup.",
        default="backups",
        pattern=scripts.PREFIX,
        constraint="letters, digits and . _ / -",
        group="Backup",
        label="Prefix",
    )
    bucket_name = Parameter(
        aws.STRING,
        "Bucket that holds backups, the output BucketName of the stack that made them.",
        pattern=scripts.BUCKET,
        constraint="the name of a bucket",
        group="Backup",
        label="Bucket",
    )
    sns_email = Parameter(
        aws.STRING,
        "Address to tell; it has to confirm.",
        pattern=r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
        constraint="an e-mail address",
        group="Notification",
        label="E-mail",
    )
