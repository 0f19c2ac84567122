"""The ways in which a function fails, each told as Lambda tells it, and none of them the end of the function."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from blueprints.local.functions import Invocation, RequestTooLarge
from tests.local.functions.harness import Call, Start, eventually


def test_an_exception_is_reported_and_the_environment_lives_on(start: Start) -> None:
    function = start(
        "import os\ndef handler(event, context):\n    if event: raise KeyError('färbe')\n    return os.getpid()"
    )
    before = function.value()
    ended = function(1)
    error = json.loads(ended.payload)
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'färbe'")
    assert error["requestId"] == ended.request_id
    assert 'index.py", line 3, in handler' in error["stackTrace"][0]
    assert (ended.error, ended.status) == ("Unhandled", "error")
    assert function.value() == before


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("import nowhere", "index.handler", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("", "index.absent", "Runtime.HandlerNotFound", "Handler 'absent' missing on module 'index'"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("1 / 0", "index.handler", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_handler_that_cannot_be_loaded(
    start: Start, code: str, handler: str, kind: str, message: str
) -> None:
    function = start(code, handler=handler)
    ended = function()
    error = json.loads(ended.payload)
    assert error["errorType"] == kind
    assert message in error["errorMessage"]
    assert error["requestId"] == ended.request_id


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit()", "Runtime exited without providing a reason"),
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(4)", "Runtime exited with error: exit status 4"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("threading.Thread(target=os._exit, args=[5]).start(); time.sleep(60)", "exit status 5"),
    ],
)
def test_a_process_that_ends_takes_only_its_invocation_along(
    start: Start, statement: str, reason: str
) -> None:
    function = start(
        "import os, sys, threading, time\n"
        "def handler(event, context):\n"
        f"    if event: {statement}\n"
        "    return os.getpid()\n"
    )
    before = function.value()
    ended = function(1)
    error = json.loads(ended.payload)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].startswith(f"RequestId: {ended.request_id} Error: ")
    assert error["errorMessage"].endswith(reason)
    assert "\tStatus: error\tError Type: Runtime.ExitError" in ended.log_tail
    after = function()
    assert after.cold
    assert json.loads(after.payload) != before


def test_a_process_killed_from_outside_ends_its_invocation(start: Start, signal_file: Path) -> None:
    function = start(
        "import os, pathlib, time\n"
        "def handler(event, context):\n"
        "    pathlib.Path(event).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n",
        timeout=60,
    )
    call = Call(function, str(signal_file))
    assert eventually(lambda: signal_file.exists() and signal_file.read_text() != "")
    os.kill(int(signal_file.read_text()), signal.SIGKILL)
    ended = call.end()
    assert isinstance(ended, Invocation)
    assert json.loads(ended.payload)["errorMessage"].endswith("signal: killed")


@pytest.mark.parametrize(
    "statement", ["while True: pass", "time.sleep(60)", "subprocess.run(['sleep', '60'])"]
)
def test_a_handler_that_takes_too_long_is_killed(start: Start, statement: str) -> None:
    function = start(
        "import subprocess, time\n"
        "calls = 0\n"
        "def handler(event, context):\n"
        "    global calls; calls += 1\n"
        "    if event:\n"
        f"        {statement}\n"
        "    return [calls, context.get_remaining_time_in_millis()]\n",
        timeout=0.5,
    )
    count, remaining = function.value()
    assert count == 1
    assert 0 < remaining <= 500
    ended = function(1)
    assert json.loads(ended.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {ended.request_id} Error: Task timed out after 0.50 seconds",
    }
    assert (ended.error, ended.status) == ("Unhandled", "timeout")
    assert ended.duration_ms >= 500
    assert ended.log_tail.rstrip().endswith("\tStatus: timeout")
    assert function.gone()
    assert function.value()[0] == 1


@pytest.mark.parametrize(
    "grow",
    [
        "kept.append(bytearray(4_000_000))",
        "subprocess.run([sys.executable, '-c', 'x = bytearray(300_000_000); input()'], stdin=hold)",
    ],
    ids=["itself", "child"],
)
def test_memory_beyond_the_limit_kills(start: Start, grow: str) -> None:
    function = start(
        "import os, subprocess, sys, time\n"
        "kept = []\n"
        "hold = os.pipe()[0]\n"
        "def handler(event, context):\n"
        f"    while event: {grow}; time.sleep(0.002)\n"
        "    return 'fine'\n",
        memory=128,
    )
    assert function.value() == "fine"
    ended = function(1)
    error = json.loads(ended.payload)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert ended.max_memory_mb <= 128
    assert function.gone()
    assert function.value() == "fine"


def test_memory_that_forked_processes_share_counts_once(start: Start) -> None:
    function = start(
        "import os, time\n"
        "kept = b'x' * 60_000_000\n"
        "def handler(event, context):\n"
        "    children = [os.fork() for _ in range(1)]\n"
        "    if 0 in children:\n"
        "        time.sleep(0.3); os._exit(0)\n"
        "    return [os.waitpid(child, 0)[1] for child in children]\n",
        memory=110,
    )
    assert function.value() == [0]


def test_memory_is_reported(start: Start) -> None:
    function = start("def handler(event, context): return len(bytearray(event))")
    small, large = function(1).max_memory_mb, function(100_000_000).max_memory_mb
    assert 5 <= small < 60
    assert 95 <= large - small <= 110
    assert function(1).max_memory_mb == large


@pytest.mark.parametrize("value", ["'grün €'", "['\\U0001f600', None, 1.5]", "{'a': '\\u2028\\u0000'}"])
def test_any_json_passes_both_ways(start: Start, value: str) -> None:
    assert start(f"def handler(event, context): return [event, {value}, event == {value}]").value(
        eval(value)  # noqa: S307
    ) == [eval(value), eval(value), True]  # noqa: S307


def test_bytes_are_returned_as_they_are(start: Start) -> None:
    assert start("def handler(event, context): return bytes(range(256))")().payload == bytes(range(256))


def test_an_event_that_is_no_json_reaches_no_handler(start: Start) -> None:
    function = start("def handler(event, context): return 1")
    ended = function.function.invoke(b"\xff\xfe\x00")
    assert json.loads(ended.payload)["errorType"] == "Runtime.UnmarshalError"
    assert function.value() == 1


def test_a_result_that_is_no_json(start: Start) -> None:
    error = start("def handler(event, context): return {1, 2}").error()
    assert error["errorType"] == "Runtime.MarshalError"
    assert "not JSON serializable" in error["errorMessage"]


def test_events_have_at_most_six_megabytes(start: Start) -> None:
    function = start("def handler(event, context): return len(event)")
    assert function.value("x" * (6_291_456 - 2)) == 6_291_454
    with pytest.raises(RequestTooLarge, match="6291457 byte payload is too large"):
        function("x" * (6_291_456 - 1))


def test_results_have_at_most_six_megabytes(start: Start) -> None:
    function = start("def handler(event, context): return 'x' * event")
    assert len(function(6_291_556 - 2).payload) == 6_291_556
    for size in (6_291_556 - 1, 30_000_000):
        assert function.error(size) == {
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        }
    assert function.value(1) == "x"


def test_an_error_may_be_too_large_as_well(start: Start) -> None:
    function = start("def handler(event, context): raise ValueError('x' * 7_000_000)")
    assert function.error()["errorType"] == "Function.ResponseSizeTooLarge"


ASKING = """
import os, urllib.error, urllib.request

def handler(event, context):
    method, path = event
    url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/{path}"
    try:
        data = b"{}" if method == "POST" else None
        return urllib.request.urlopen(urllib.request.Request(url, data, method=method)).status
    except urllib.error.HTTPError as error:
        return error.code
"""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "invocation/next", 403),
        ("GET", "invocation/other", 404),
        ("POST", "invocation/unknown/response", 400),
        ("POST", "invocation/unknown/error", 400),
        ("POST", "elsewhere", 404),
        ("DELETE", "invocation/next", 501),
    ],
)
def test_the_runtime_api_refuses_what_is_out_of_turn(
    start: Start, method: str, path: str, status: int
) -> None:
    assert start(ASKING).value([method, path]) == status
