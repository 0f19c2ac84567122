"""Images of the services: repositories, the project that builds them, and the resource that waits for it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from troposphere import AWSHelperFn, AWSObject, GetAtt, Ref, Sub, awslambda, codebuild, ecr, iam, logs

from ..blocks.properties import given
from . import assets

_SCRIPT = Path(__file__).parent / "bootstrap" / "images.sh"
SERVICES = ("portal", "calc", "clock")
_TIMEOUT, _PATIENCE = 900, 960  # of the function and of who waits for it, in seconds
_BUILD_MINUTES = 13


class Images(AWSObject):
    """Images of the services, built and pushed."""

    resource_type = "Custom::Images"
    props = {  # noqa: RUF012 - troposphere's own form
        "ServiceToken": (str, True),
        "ServiceTimeout": (int, True),
        "ImageTag": (str, True),
        "Repositories": ([str], True),
    }


def packed() -> bytes:
    """The folder of the images as a tar that depends on what the files hold and on nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in assets.files("image"):
            content = path.read_bytes()
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def tag() -> str:
    """Tag of the images: another content has another tag, so that a tag never changes what it means."""
    return assets.digest("image")[:12]


# Each change of content adds an image, and nothing else takes one away.
_LAST_TEN = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
            "action": {"type": "expire"},
        }
    ]
}


def repository(service: str, key: AWSHelperFn | None) -> ecr.Repository:
    """Where a service's image is kept, for as long as the stack is. Without a key it is the one that AWS manages."""
    return ecr.Repository(
        f"{service.capitalize()}Repository",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        EmptyOnDelete=True,
        ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=True),
        ImageTagMutability="IMMUTABLE",
        EncryptionConfiguration=ecr.EncryptionConfiguration(EncryptionType="KMS", **given(KmsKey=key)),
        LifecyclePolicy=ecr.LifecyclePolicy(LifecyclePolicyText=json.dumps(_LAST_TEN, separators=(",", ":"))),
    )


def project(
    repositories: list[ecr.Repository],
    role: iam.Role,
    log_group: logs.LogGroup,
    key: AWSHelperFn | None,
    layer: AWSHelperFn | None,
) -> codebuild.Project:
    """Builds and pushes, when it is told to; nothing of it runs in between. `layer` has what is not in the template."""
    variables: dict[str, Any] = {
        "REGISTRY": Sub("${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}"),
        "IMAGE_TAG": tag(),
        **given(CONTEXT_LAYER=layer),
        **{
            f"{str(each.title).removesuffix('Repository').upper()}_REPOSITORY": GetAtt(each, "RepositoryUri")
            for each in repositories
        },
    }
    return codebuild.Project(
        "ImagesProject",
        ServiceRole=Sub(f"${{{role.title}.Arn}}"),  # the validator takes a GetAtt here for a Ref
        Artifacts=codebuild.Artifacts(Type="NO_ARTIFACTS"),
        Environment=codebuild.Environment(
            ComputeType="BUILD_GENERAL1_SMALL",
            EnvironmentVariables=[
                codebuild.EnvironmentVariable(Name=name, Type="PLAINTEXT", Value=value)
                for name, value in variables.items()
            ],
            Image="aws/codebuild/amazonlinux-x86_64-standard:5.0",
            PrivilegedMode=True,  # Docker runs in it
            Type="LINUX_CONTAINER",
        ),
        LogsConfig=codebuild.LogsConfig(
            CloudWatchLogs=codebuild.CloudWatchLogs(GroupName=Ref(log_group), Status="ENABLED")
        ),
        Source=codebuild.Source(Type="NO_SOURCE", BuildSpec=build_spec(inline=layer is None)),
        TimeoutInMinutes=_BUILD_MINUTES,
        **given(EncryptionKey=key),
    )


def build_spec(*, inline: bool) -> str:
    """What CodeBuild does: the script as it stands in its file, with the packed folder at its head."""
    shebang, _, body = _SCRIPT.read_text(encoding="utf-8").partition("\n")
    context = base64.b64encode(gzip.compress(packed(), 9, mtime=0)).decode() if inline else ""
    lines = [shebang, f"CONTEXT='{context}'", *body.splitlines()]
    script = "\n".join(f"        {line}" if line else "" for line in lines)
    return f'version: "0.2"\nenv:\n  shell: bash\nphases:\n  build:\n    commands:\n      - |\n{script}\n'


def builder(
    project: codebuild.Project, role: iam.Role, log_group: logs.LogGroup, *, inline: bool
) -> awslambda.Function:
    """Has the project build, and tells CloudFormation how that went."""
    return assets.function(
        "ImagesFunction", "images", role, log_group, {"PROJECT": Ref(project)}, _TIMEOUT, inline=inline
    )


def built(builder: awslambda.Function, repositories: list[ecr.Repository]) -> Images:
    """There once all images are pushed; another content has them built anew."""
    return Images(
        "ServiceImages",
        ServiceToken=GetAtt(builder, "Arn"),
        ServiceTimeout=_PATIENCE,
        ImageTag=tag(),
        Repositories=[GetAtt(each, "RepositoryUri") for each in repositories],
    )


def uri(repository: ecr.Repository) -> Sub:
    """The image of a service."""
    return Sub(f"${{{repository.title}.RepositoryUri}}:{tag()}")
