"""The command: what it prints and writes, what it uploads to an emulated S3, and what it leaves alone on a fault."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count  # pyright: ignore[reportUnknownVariableType]

from blueprints.checks.template import load
from blueprints.package.command import package

from .conftest import Write

ACCOUNT = "123456789012"
AWS: Any = boto3

STACK = """\
# the function
Resources:
  One:
    Type: AWS::Lambda::Function
    Properties: {Code: ../../src, Handler: app.handler, Runtime: python3.13}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: mine}}
  Job: {Type: AWS::Glue::Job, Properties: {Command: {ScriptLocation: ../../job.py}}}
"""


class Calls(list[tuple[str, dict[str, Any]]]):
    """Operations that S3 was asked for, with their parameters."""

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self if name == operation]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Every call to an S3 in this process, in which the bucket `code` exists."""
    for name, value in (
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    found = Calls()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        found.append((model.name, dict(params)))

    with mock_aws():
        AWS.setup_default_session()
        AWS.client("s3").create_bucket(
            Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        AWS.DEFAULT_SESSION.events.register("provide-client-params.s3", note)
        yield found
    AWS.DEFAULT_SESSION = None


@pytest.fixture
def stack(write: Write) -> None:
    """A stack with its rendered template and its code."""
    write({
        "stacks/example/api.yaml": "blueprint: a:B\n",
        "templates/example/api.yaml": STACK,
        "templates/example/api.configuration.json": json.dumps({"Parameters": {"Size": "2 3"}, "Tags": {"a": "b"}}),
        "src/app.py": "def handler(event, context): ...\n",
        "job.py": "print()\n",
    })  # fmt: skip


def run(*arguments: str) -> Result:
    return CliRunner().invoke(package, arguments)


def succeeded(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not Path("build/example").exists()
    return result.stderr


# Without a bucket


@pytest.mark.usefixtures("stack")
def test_archives_are_built_and_the_template_names_them_from_where_it_stands() -> None:
    lines = succeeded("api")
    assert [line.rpartition(", ")[2] for line in lines[:2]] == ["built", "built"]
    assert lines[0].startswith("One Code: ")
    assert lines[1].startswith("Job ScriptLocation: 8 bytes, sha256 ")
    assert lines[2] == "wrote build/example/api.yaml"
    assert shlex.split(lines[3])[:3] == ["aws", "cloudformation", "package"]
    text = Path("build/example/api.yaml").read_text()
    assert text.startswith("# the function\n")
    code = Path("build/example", load(text)["Resources"]["One"]["Properties"]["Code"])
    assert zipfile.ZipFile(code).namelist() == ["app.py"]
    assert code.stem[:12] in lines[0]


@pytest.mark.usefixtures("stack")
def test_all_stacks_or_a_template_that_is_no_stacks(write: Write) -> None:
    write({"mine/own.json": '{"Resources": {}}'})
    assert "wrote build/example/api.yaml" in succeeded()
    assert succeeded("--template", "mine/own.json", "--build", "other") == [
        "wrote other/mine/own.json",
        "aws cloudformation deploy --stack-name own --template-file other/mine/own.json",
    ]


@pytest.mark.usefixtures("stack")
def test_faults_are_told_together_and_nothing_is_written(write: Write) -> None:
    write(
        {
            "templates/example/api.yaml": STACK.replace("../../src", "../gone").replace(
                "../../job.py", "../lost.py"
            )
        }
    )
    assert refused("api").splitlines() == [
        "templates/example/api.yaml: Resources.Job.Properties.Command.ScriptLocation:"
        " no file or folder '../lost.py' in templates/example; mend the path",
        "templates/example/api.yaml: Resources.One.Properties.Code:"
        " no file or folder '../gone' in templates/example; mend the path",
    ]
    Path("templates/example/api.yaml").unlink()
    assert refused("api") == "templates/example/api.yaml: not rendered yet; run make render\n"


@pytest.mark.usefixtures("stack")
def test_a_folder_that_cannot_be_made_is_one_line() -> None:
    Path("build").touch()
    told = refused("api")
    assert "Not a directory; mend that or choose another --build" in told or "File exists" in told
    assert told.count("\n") == 1


# Uploads


@pytest.mark.usefixtures("stack")
def test_only_what_is_missing_is_uploaded(calls: Calls) -> None:
    first = succeeded("api", "--bucket", "code", "--prefix", "p/")
    assert [line.rpartition(", ")[2] for line in first[:2]] == ["uploaded", "uploaded"]
    assert len(calls.of("PutObject")) == 2
    text = Path("build/example/api.yaml").read_bytes()
    calls.clear()
    second = succeeded("api", "--bucket", "code", "--prefix", "p/")
    assert [line.rpartition(", ")[2] for line in second[:2]] == ["present", "present"]
    assert calls.of("PutObject") == []
    assert len(calls.of("HeadObject")) == 2
    assert Path("build/example/api.yaml").read_bytes() == text
    calls.clear()
    Path("src/app.py").write_text("def handler(event, context): pass\n")
    third = succeeded("api", "--bucket", "code", "--prefix", "p/")
    assert [line.rpartition(", ")[2] for line in third[:2]] == ["uploaded", "present"]
    assert len(calls.of("PutObject")) == 1
    address = load(Path("build/example/api.yaml").read_text())["Resources"]["One"]["Properties"]["Code"]
    assert address == {"S3Bucket": "code", "S3Key": calls.of("PutObject")[0]["Key"]}


@pytest.mark.usefixtures("stack")
def test_uploads_name_their_hash_and_the_account_and_say_what_to_run_next(calls: Calls) -> None:
    lines = succeeded("api", "--bucket", "code")
    asked = [*calls.of("HeadObject"), *calls.of("PutObject")]
    assert {each["ExpectedBucketOwner"] for each in asked} == {ACCOUNT}
    assert not any("ServerSideEncryption" in each for each in asked)
    for each in calls.of("PutObject"):
        stored = AWS.client("s3").get_object(Bucket="code", Key=each["Key"])["Body"].read()
        assert base64.b64decode(each["ChecksumSHA256"]) == hashlib.sha256(stored).digest()
        assert stored == Path("build/package", each["Key"]).read_bytes()
    assert lines[-1] == (
        "aws cloudformation deploy --stack-name api --template-file build/example/api.yaml"
        " --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM --parameter-overrides 'Size=2 3' --tags a=b"
    )


@pytest.mark.usefixtures("stack")
def test_a_key_and_another_owner_are_passed_on(calls: Calls) -> None:
    succeeded("api", "--bucket", "code", "--kms-key", "alias/code", "--expected-owner", "999988887777")
    for each in calls.of("PutObject"):
        assert (each["ServerSideEncryption"], each["SSEKMSKeyId"]) == ("aws:kms", "alias/code")
        assert each["ExpectedBucketOwner"] == "999988887777"


@pytest.mark.usefixtures("stack")
def test_a_large_template_is_deployed_from_the_bucket(write: Write, calls: Calls) -> None:
    write({"templates/example/api.yaml": f"{STACK}# {'x' * 51_200}\n"})
    assert " --s3-bucket code " in succeeded("api", "--bucket", "code")[-1]


@pytest.mark.usefixtures("stack")
def test_json_holds_what_the_lines_tell(calls: Calls) -> None:
    (told,) = json.loads("\n".join(succeeded("api", "--bucket", "code", "--format", "json")))
    assert told["template"] == "build/example/api.yaml"
    assert [(each["logical_id"], each["where"], each["status"]) for each in told["assets"]] == [
        ("One", "Resources.One.Properties.Code", "uploaded"),
        ("Job", "Resources.Job.Properties.Command.ScriptLocation", "uploaded"),
    ]
    for each in told["assets"]:
        assert Path(each["file"]).stat().st_size == each["size"]
        assert each["sha256"] in each["file"]
    assert told["command"][:3] == ["aws", "cloudformation", "deploy"]
    assert len(calls.of("PutObject")) == 2


@pytest.mark.usefixtures("stack")
def test_a_bucket_that_does_not_exist_is_one_line(calls: Calls) -> None:
    assert refused("api", "--bucket", "absent") == (
        "s3://absent: no such bucket; create it or name another with --bucket\n"
    )
    assert len(calls.of("PutObject")) == 1


@pytest.mark.usefixtures("stack", "calls")
def test_a_fault_keeps_everything_from_being_uploaded(write: Write, calls: Calls) -> None:
    write({"templates/example/api.yaml": STACK.replace("../../job.py", "../lost.py")})
    assert "lost.py" in refused("api", "--bucket", "code")
    assert list(calls) == []


@pytest.mark.usefixtures("stack", "calls")
def test_a_denied_upload_is_one_line_that_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    iam = AWS.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    AWS.setup_default_session()

    @set_initial_no_auth_action_count(0)
    def denied() -> str:
        return refused("api", "--bucket", "code", "--expected-owner", ACCOUNT)

    told = denied()
    assert told.startswith("s3://code: AccessDenied: needs s3:PutObject on s3://code/")
    assert told.endswith(
        f"has to belong to the account {ACCOUNT}; allow it, or name the owner with --expected-owner\n"
    )
    assert told.count("\n") == 1


@pytest.mark.usefixtures("stack")
def test_without_credentials_one_line_says_so(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("HOME", str(folder))
    AWS.setup_default_session()
    assert refused("api", "--bucket", "code") == (
        "s3://code: Unable to locate credentials; uploads need credentials and a region, or leave out --bucket\n"
    )


@pytest.mark.usefixtures("stack")
def test_without_boto3_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert refused("api", "--bucket", "code") == (
        "s3://code: uploads need boto3; install compute-blueprints[package], or leave out --bucket\n"
    )


def test_help_loads_nothing_heavy() -> None:
    program = "import sys, blueprints.package.command as c; c.package(['--help'], standalone_mode=False)"
    heavy = "[n for n in ('boto3', 'yaml', 'troposphere', 'pydantic', 'packaging') if n in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; sys.exit(str({heavy}))"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Usage:" in done.stdout
    assert done.stderr.strip() == "[]"
