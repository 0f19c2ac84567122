"""Defects of boot scripts, and of the image that they run on."""

from __future__ import annotations

from collections.abc import Iterator

from .plant import (
    STRUCTURE,
    Plant,
    Template,
    before_script,
    groups,
    launch_templates,
    mutates,
    put,
    script,
    with_resources,
)

UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
IMAGE = {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"}


@mutates("CB011", no_if="its default names the image here, and that is no function")
def image_without_helpers(template: Template) -> Iterator[Plant]:
    """By the parameter that all nodes take their image from, and by one of their own."""
    for name, data in launch_templates(template):
        base = put(template, *before_script(template, data, "cfn-signal --stack s --resource r || true"))
        yield Plant(base, f"{data}.ImageId", UBUNTU, f"Resources.{name}", IMAGE)


@mutates("CB011")
def image_without_helpers_resolved(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        base = put(template, *before_script(template, data, "cfn-signal --stack s --resource r || true"))
        yield Plant(base, f"{data}.ImageId", f"{{{{resolve:ssm:{UBUNTU}}}}}", f"Resources.{name}")


@mutates("CB011")
def helper_on_image_without_it(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        base = put(template, f"{data}.ImageId", f"{{{{resolve:ssm:{UBUNTU}}}}}")
        lines = before_script(template, data, "cfn-signal --stack s --resource r || true")
        yield Plant(base, *lines, f"Resources.{name}")


@mutates("CB012")
def signal_before_the_end(template: Template) -> Iterator[Plant]:
    lines = "set -e\naws cloudformation signal-resource --status SUCCESS\ndnf install -y monitoring"
    for name, data in launch_templates(template):
        yield Plant(template, *before_script(template, data, lines), f"Resources.{name}")


@mutates("CB023")
def installation_unheeded(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        path, _ = script(template, data)
        base = put(template, path, "echo ready")
        yield Plant(base, *before_script(base, data, "dnf install -y nfs-utils"), f"Resources.{name}")


@mutates("CB024")
def download_once(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        lines = "curl -sSf -o /opt/tool https://example.com/tool"
        yield Plant(template, *before_script(template, data, lines), f"Resources.{name}")


@mutates("CB025")
def metadata_without_token(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        lines = "export ZONE=$(curl -s http://169.254.169.254/latest/meta-data/placement/availability-zone)"
        yield Plant(template, *before_script(template, data, lines), f"Resources.{name}")


@mutates("CB027", no_parameter=STRUCTURE)
def variable_named_like_parameter(template: Template) -> Iterator[Plant]:
    for name, data in launch_templates(template):
        path, _ = before_script(template, data, "")
        lines = {"Fn::Sub": "VolumeSize=$(df / | tail -n 1)\necho ${VolumeSize}"}
        yield Plant(template, path, lines, f"Resources.{name}")


def stateful(template: Template, image: str) -> Template:
    """A template with an instance in its network that keeps data on a volume."""
    return with_resources(
        template,
        Node={
            "Type": "AWS::EC2::Instance",
            "Properties": {"ImageId": image, "SubnetId": {"Ref": "PrivateSubnet"}},
        },
        Volume={
            "Type": "AWS::EC2::Volume",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {
                "AvailabilityZone": {"Fn::GetAtt": ["PrivateSubnet", "AvailabilityZone"]},
                "Encrypted": True,
                "Size": 10,
            },
        },
        Attachment={
            "Type": "AWS::EC2::VolumeAttachment",
            "Properties": {
                "InstanceId": {"Ref": "Node"},
                "VolumeId": {"Ref": "Volume"},
                "Device": "/dev/sdf",
            },
        },
    )


@mutates("CB031")
def latest_image_resolved(template: Template) -> Iterator[Plant]:
    if any(groups(template)):
        at = "Resources.Node.Properties.ImageId"
        base = stateful(template, f"{{{{resolve:ssm:{AMAZON_LINUX}:3}}}}")
        yield Plant(base, at, f"{{{{resolve:ssm:{AMAZON_LINUX}}}}}", at)


@mutates("CB031", no_parameter="the parameter stands in our template, and is what makes the image move")
def latest_image_by_our_parameter(template: Template) -> Iterator[Plant]:
    if "ImageParameter" in template["Parameters"]:
        at = "Resources.Node.Properties.ImageId"
        base = stateful(template, f"{{{{resolve:ssm:{AMAZON_LINUX}:3}}}}")
        yield Plant(base, at, {"Ref": "ImageParameter"}, at)


@mutates("CB031")
def termination_refused(template: Template) -> Iterator[Plant]:
    """An instance that may not be terminated keeps data, and follows the latest image."""
    if any(groups(template)):
        node = "Resources.Node.Properties"
        base = put(template, node, {"ImageId": f"{{{{resolve:ssm:{AMAZON_LINUX}}}}}"})
        base = put(base, "Resources.Node.Type", "AWS::EC2::Instance")
        yield Plant(base, f"{node}.DisableApiTermination", True, f"{node}.ImageId")
