"""The command `package`. It imports what it needs when it runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .. import options

if TYPE_CHECKING:
    from .bucket import Bucket, Status
    from .bundle import Bundle, Made

# CloudFormation, "Quotas": a template's body in a request; a larger one comes from S3.
_MOST_INLINE = 51_200


@click.command()
@options.stack_names
@click.option(
    "--template",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Any CloudFormation or SAM template, instead of a stack's; may be repeated.",
)
@click.option("--bucket", metavar="BUCKET", help="Upload what is missing there, and name it in the template.")
@click.option("--prefix", default="", help="First part of the keys in the bucket.")
@click.option("--kms-key", metavar="KEY", help="Encrypt uploads with this key; otherwise as the bucket does.")
@click.option("--expected-owner", metavar="ACCOUNT", help="Account of the bucket, if it is not the caller's.")
@options.env
@options.stacks_folder
@options.out
@click.option(
    "--build",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder for archives and rewritten templates.",
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@options.tell_faults
def package(
    stacks: tuple[str, ...],
    files: tuple[Path, ...],
    bucket: str | None,
    prefix: str,
    kms_key: str | None,
    expected_owner: str | None,
    env: str | None,
    folder: Path,
    out: Path,
    build: Path,
    style: Literal["text", "json"],
) -> None:
    """Zip what templates name, reproducibly, upload what is missing, and write templates that name it.

    STACK is a stack's name or ENV/STACK, whose rendered template is packaged. A requirements.txt beside a handler is
    installed as wheels for the function's runtime and architecture.
    """  # fmt: skip
    try:
        sources = [*files, *_rendered(stacks, env, folder, out, whole=not files)]
        connected = _connected(bucket, prefix, kms_key, expected_owner)
        done = run(sources, build, connected)
    except OSError as error:
        options.refuse([f"{error.filename}: {error.strerror}; mend that or choose another --build"])
    if style == "json":
        click.echo(json.dumps([_plain(each, states, bucket) for each, states in done], indent=2))
        return
    for each, states in done:
        for made in each.made:
            click.echo(_line(made, states[made.asset.name]))
        click.echo(f"wrote {each.out}\n{shlex.join(next_command(each, bucket))}")


def _rendered(stacks: Sequence[str], env: str | None, folder: Path, out: Path, *, whole: bool) -> list[Path]:
    """The rendered templates of stacks, of all if none is named. Raises BlueprintError for what is not rendered."""
    from ..core.rendered import templates
    from ..core.stack_file import discover

    if not stacks and not whole:
        return []
    return [found[0] for found in templates(discover(folder, env, stacks), out).values()]


def _connected(bucket: str | None, prefix: str, kms_key: str | None, owner: str | None) -> Bucket | None:
    if bucket is None:
        return None
    from .bucket import connect

    return connect(bucket, prefix, kms_key, owner)


def run(
    sources: Sequence[Path], build: Path, bucket: Bucket | None
) -> list[tuple[Bundle, dict[str, Status]]]:
    """Package templates: make everything, then upload, then write, so that a fault leaves nothing half done.

    Each bundle comes with what became of its assets, by their names. Raises BlueprintError.
    """
    from ..core.render import write_text
    from .addresses import Beside
    from .bundle import bundle

    bundles = bundle(sources, build, bucket.addresses if bucket else Beside())
    assets = {made.asset.name: made.asset for each in bundles for made in each.made}
    states: dict[str, Status] = {
        name: bucket.put(asset) if bucket else "built" for name, asset in assets.items()
    }
    for each in bundles:
        write_text(each.out, each.text)
    return [(each, states) for each in bundles]


def _line(made: Made, status: Status) -> str:
    place, asset = made.place, made.asset
    return f"{place.owner} {place.name}: {asset.size:,} bytes, sha256 {asset.sha256[:12]}, {status}"


def _plain(bundle: Bundle, states: Mapping[str, Status], bucket: str | None) -> dict[str, Any]:
    return {
        "template": str(bundle.out),
        "assets": [
            {
                "template": str(made.template),
                "where": made.place.where,
                "logical_id": made.place.owner,
                "file": str(made.asset.file),
                "size": made.asset.size,
                "sha256": made.asset.sha256,
                "status": states[made.asset.name],
            }
            for made in bundle.made
        ],
        "command": next_command(bundle, bucket),
    }


def next_command(bundle: Bundle, bucket: str | None) -> list[str]:
    """What to run next: the deployment, or what uploads where nothing was."""
    if bundle.made and bucket is None:
        return ["aws", "cloudformation", "package", "--template-file", str(bundle.out), "--s3-bucket", "BUCKET",
                "--output-template-file", str(bundle.out.with_suffix(".packaged.yaml"))]  # fmt: skip
    command = ["aws", "cloudformation", "deploy", "--stack-name", bundle.out.stem]
    command += ["--template-file", str(bundle.out)]
    if len(bundle.text.encode()) > _MOST_INLINE:
        command += ["--s3-bucket", bucket or "BUCKET"]
    if bundle.capabilities:
        command += ["--capabilities", *sorted(bundle.capabilities)]
    return [*command, *_given(bundle.source)]


def _given(template: Path) -> list[str]:
    """Parameters and tags of the stack, from the file that was rendered beside its template."""
    beside = template.with_name(f"{template.stem}.configuration.json")
    try:
        given = json.loads(beside.read_text())
    except (OSError, ValueError):
        return []
    options: list[str] = []
    for option, section in (("--parameter-overrides", "Parameters"), ("--tags", "Tags")):
        pairs = [f"{key}={value}" for key, value in given.get(section, {}).items()]
        options += [option, *pairs] if pairs else []
    return options
