"""Runs in the environment of SAM CLI and AWS CLI: what both make of every template named, as JSON.

One process for all, because each command alone takes seconds to start. AWS is what the environment says it is.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

_BUCKET = "code"


def main() -> None:
    """Three commands over each template; the status of each, the end of what it said and the template it wrote."""
    importlib.import_module("boto3").client("s3").create_bucket(Bucket=_BUCKET)
    json.dump({name: _taken(Path(name)) for name in sys.argv[1:]}, sys.stdout)


def _taken(template: Path) -> dict[str, Any]:
    work = Path("work") / template
    work.mkdir(parents=True)
    return {
        "sam validate": _sam("validate", "--lint", "--template", str(template)),
        "sam build": {
            **_sam("build", "--template", str(_buildable(template)), "--build-dir", str(work / "build")),
            "template": _text(work / "build" / "template.yaml"),
        },
        "aws cloudformation package": {
            **_aws(
                "cloudformation", "package", "--template-file", str(template), "--s3-bucket", _BUCKET,
                "--output-template-file", str(work / "packaged.yaml"),
            ),
            "template": _text(work / "packaged.yaml"),
        },
    }  # fmt: skip


def _buildable(template: Path) -> Path:
    """Beside the template, for the Python that runs here: sam builds only for one that it finds."""
    copy = template.with_name(f"buildable-{template.name}")
    here = f"python3.{sys.version_info.minor}"
    copy.write_text(re.sub(r"(?<=Runtime: )python3\.\d+", here, template.read_text()))
    return copy


def _sam(*arguments: str) -> dict[str, Any]:
    runner: Any = importlib.import_module("click.testing").CliRunner()
    done = runner.invoke(importlib.import_module("samcli.cli.main").cli, arguments)
    return {"status": done.exit_code, "said": done.output[-600:]}


def _aws(*arguments: str) -> dict[str, Any]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = importlib.import_module("awscli.clidriver").create_clidriver().main(list(arguments))
    return {"status": status, "said": said.getvalue()[-600:]}


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    main()
