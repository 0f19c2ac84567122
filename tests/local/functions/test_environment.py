"""What a function finds around itself: Lambda's variables, packages and folders, and nothing of ours."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blueprints.core.errors import BlueprintError
from blueprints.local.functions import FunctionSpec, code, from_inline
from tests.local.functions.harness import Start


def test_variables(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "leaks")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    function = start(
        "import os\ndef handler(event, context): return dict(os.environ)",
        environment={"TABLE_NAME": "table", "TZ": "Europe/Berlin"},
        endpoint_url="http://127.0.0.1:9",
        memory=256,
    )
    found = function.value()
    name = function.spec.physical_name
    expected = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LANG": "en_US.UTF-8",
        "TABLE_NAME": "table",
        "TZ": "Europe/Berlin",
        "_HANDLER": "index.handler",
    }
    assert {key: found[key] for key in expected} == expected
    assert "[$LATEST]" in found["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert found["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert found["PYTHONPATH"] == found["LAMBDA_RUNTIME_DIR"]
    assert {"OURS", "AWS_PROFILE"} & set(found) == set()


def test_each_environment_has_a_log_stream_and_a_temporary_folder(start: Start) -> None:
    source = (
        "import os, tempfile\n"
        "def handler(event, context):\n"
        "    open(tempfile.gettempdir() + '/kept', 'a').write('x')\n"
        "    if event == 'end': os._exit(0)\n"
        "    kept = open(tempfile.gettempdir() + '/kept').read()\n"
        "    return [kept, tempfile.gettempdir(), context.log_stream_name, os.path.expanduser('~')]\n"
    )
    function = start(source)
    first = function.value()
    assert function.value() == ["xx", *first[1:]]
    function.error("end")
    second = function.value()
    assert second[0] == "x"
    assert {first[1], first[2]} & {second[1], second[2]} == set()
    assert not Path(first[1]).exists()
    assert first[3] == first[1]


def test_context(start: Start) -> None:
    function = start(
        "def handler(event, context):\n"
        "    return [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb,\n"
        "            context.aws_request_id, context.get_remaining_time_in_millis(),\n"
        "            context.client_context.custom]\n",
        timeout=7,
    )
    ended = function(client_context='{"custom":\n{"key": "wért"}}'.encode())
    name, arn, memory, request_id, remaining, custom = json.loads(ended.payload)
    assert (name, arn, memory) == (function.spec.physical_name, function.spec.arn, "512")
    assert request_id == ended.request_id
    assert 0 < remaining <= 7000
    assert custom["key"].startswith("w")


@pytest.mark.parametrize("package", ["blueprints", "pydantic", "yaml", "moto"])
def test_what_lambda_lacks_cannot_be_imported(start: Start, package: str) -> None:
    error = start(f"import {package}").error()
    assert error["errorMessage"] == f"Unable to import module 'index': No module named '{package}'"


def test_the_sdk_is_there_and_calls_the_emulator(start: Start) -> None:
    function = start(
        "import boto3\n"
        "def handler(event, context):\n"
        "    client = boto3.client('dynamodb')\n"
        "    return [client.meta.endpoint_url, client.meta.region_name]\n",
        endpoint_url="http://127.0.0.1:9",
    )
    assert function.value() == ["http://127.0.0.1:9", "eu-west-1"]


def test_a_python_path_of_the_function_hides_nothing(start: Start) -> None:
    function = start(
        "import boto3, sys\ndef handler(event, context): return sys.path",
        environment={"PYTHONPATH": "/opt/own"},
    )
    assert "/opt/own" in function.value()


def archive(files: dict[str, tuple[str, int]]) -> bytes:
    """A zip archive of texts with modes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, (text, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | mode) << 16
            file.writestr(info, text)
    return packed.getvalue()


def test_the_task_root_is_current_first_on_the_path_and_read_only(start: Start) -> None:
    function = start(
        archive(
            {
                "app/main.py": (
                    "from shared import value\nimport os, stat, sys, subprocess\n" + LOOKING,
                    0o644,
                ),
                "shared.py": ("value = 'shared'", 0o600),
                "bin/tool": ("#!/bin/sh\necho run", 0o755),
            }
        ),
        handler="app/main.handler",
    )
    assert function.value() == ["shared", True, True, "run\n", 0, 0, 0]


LOOKING = """
def handler(event, context):
    root = os.environ["LAMBDA_TASK_ROOT"]
    said = subprocess.run([root + "/bin/tool"], capture_output=True, text=True).stdout
    writable = [os.stat(path).st_mode & 0o222 for path in (root, "shared.py", "bin/tool")]
    return [value, os.getcwd() == root, sys.path[0] == root, said, *writable]
"""


def test_inline_code_packs_to_equal_bytes() -> None:
    assert from_inline("a = 1") == from_inline("a = 1") != from_inline("a = 2")


def spec(**settings: Any) -> FunctionSpec:
    """A function that is fine but for the settings."""
    arn = "arn:aws:lambda:eu-west-1:1:function:name"
    fine = FunctionSpec("Function", "name", arn, "index.h", "python3.12", from_inline(""), {}, 3, 128)
    return replace(fine, **settings)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"runtime": "nodejs22.x"}, "Function: runtime 'nodejs22.x' cannot run on this machine"),
        ({"runtime": "provided.al2023"}, "Function: runtime 'provided.al2023' cannot run"),
        ({"environment": {"AWS_REGION": "x", "A": ""}}, "Function: Lambda reserves AWS_REGION; remove"),
    ],
)
def test_what_cannot_be_a_function_is_refused(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(BlueprintError, match=fault):
        spec(**settings)


def test_code_that_cannot_be_unpacked_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BlueprintError, match="Function: code cannot be unpacked"):
        start(b"PK no archive")
    monkeypatch.setattr(code, "UNZIPPED_LIMIT", 10)
    with pytest.raises(BlueprintError, match="Function: code has 11 bytes unpacked, Lambda takes 10"):
        start("a = 1 # abc")


def test_an_archive_writes_nowhere_else(start: Start) -> None:
    function = start(
        archive(
            {
                "index.py": ("import os\ndef handler(event, context): return os.listdir()", 0o644),
                "../../escaped": ("", 0o644),
            }
        )
    )
    assert sorted(function.value()) == ["escaped", "index.py"]
