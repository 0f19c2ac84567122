"""What CloudFormation asks for when a cluster with service discovery is deployed."""

from __future__ import annotations

from troposphere import constants as aws

from ..core import Parameter
from ..core.environment import VPC_ID

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
LIST_OF_SUBNET_IDS = aws.LIST_OF_SUBNET_IDS


class DiscoveryParameters:
    """Parameters of every shape; a template has those that its shape reads."""

    instance_type = Parameter(
        aws.STRING,
        "Type of the cluster's instances.",
        default="t3.small",
        allowed=("t3.small", "t3.medium", "t3.large", "m6i.large", "m6i.xlarge", "c6i.large", "c6i.xlarge"),
        constraint="a type with x86 processors, for which the images are built",
        group="Cluster",
        label="Instance type",
    )
    min_size = Parameter(
        aws.NUMBER,
        "Instances at least; two, so that each zone has one.",
        default="2",
        minimum=1,
        maximum=100,
        group="Cluster",
        label="Instances at least",
    )
    max_size = Parameter(
        aws.NUMBER,
        "Instances at most, to which the cluster grows when tasks find no room.",
        default="4",
        minimum=1,
        maximum=100,
        group="Cluster",
        label="Instances at most",
    )
    image_parameter = Parameter.image(
        "SSM parameter that names the image; a newer image replaces instances when the stack is updated.",
        default="/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
        group="Cluster",
        label="Image",
    )
    zone_name = Parameter(
        aws.STRING,
        "Zone in which services are found, inside the network alone.",
        default="servicediscovery.internal",
        pattern=rf"{_LABEL}(\.{_LABEL}){{1,3}}",
        constraint="a domain of two to four labels in lower case, such as servicediscovery.internal",
        group="Discovery",
        label="Zone",
    )
    certificate_arn = Parameter(
        aws.STRING,
        "Certificate of the portal, in this region.",
        pattern=r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[a-f0-9-]{36}",
        constraint="the ARN of a certificate in ACM",
        group="Portal",
        label="Certificate",
    )
    client_cidr = Parameter(
        aws.STRING,
        "IPv4 network whose clients may open the portal.",
        pattern=rf"({_OCTET}\.){{3}}{_OCTET}/([89]|[12][0-9]|3[0-2])",
        constraint="an IPv4 network of /8 to /32, such as 198.51.100.0/24",
        group="Portal",
        label="Clients",
    )
    vpc_id = VPC_ID
    public_subnet_ids = Parameter(
        LIST_OF_SUBNET_IDS,
        "Subnets of the load balancer in two zones, with a route to an internet gateway.",
        group="Network",
        label="Public subnets",
    )
    private_subnet_ids = Parameter(
        LIST_OF_SUBNET_IDS,
        "Subnets of the instances in the same zones, with a way out.",
        group="Network",
        label="Private subnets",
    )
