"""What a function prints and what Lambda adds, in order, and bounded."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from pathlib import Path
from typing import Any

from blueprints.local.functions import Function
from blueprints.local.functions.logs import Output
from tests.local.functions.harness import Start, eventually


def test_lines_stand_between_start_and_report(start: Start) -> None:
    function = start(
        "import sys\n"
        "print('loading')\n"
        "def handler(event, context):\n"
        "    print('one\\ntwo')\n"
        "    print('to stderr', file=sys.stderr)\n"
        "    sys.stdout.write('without end ü')\n"
    )
    ended = function()
    request = ended.request_id
    assert re.fullmatch(r"INIT_START Runtime Version: python:3\.\d+\.\d+", function.lines[0])
    assert function.lines[1:-1] == [
        "loading",
        f"START RequestId: {request} Version: $LATEST",
        "one",
        "two",
        "to stderr",
        "without end ü",
        f"END RequestId: {request}",
    ]
    report = (
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB"
        r"\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms"
    )
    assert re.fullmatch(report, function.lines[-1])
    assert ended.log_tail == "\n".join(function.lines[2:]) + "\n"


def test_a_tail_holds_the_last_four_kilobytes_of_its_invocation(start: Start) -> None:
    function = start("def handler(event, context): print(event * 10_000)")
    assert "a" * 3000 in function("a").log_tail
    second = function("b").log_tail
    assert len(second) == 4096
    assert ("a" * 10 in second, second.endswith("MB\n")) == (False, True)


def test_a_traceback_is_one_event(start: Start) -> None:
    function = start("def handler(event, context): raise ValueError('wrong')")
    function.error()
    event = next(line for line in function.lines if line.startswith("[ERROR] ValueError: wrong"))
    assert "\nTraceback (most recent call last):\n" in event
    assert "\r" not in event


def test_logging_carries_the_request_id(start: Start) -> None:
    function = start("import logging\ndef handler(event, context): logging.warning('hot')")
    ended = function()
    assert any(re.match(rf"\[WARNING\]\t[^\t]+Z\t{ended.request_id}\thot$", line) for line in function.lines)


def test_json(start: Start) -> None:
    function = start(
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.info('in view')\n"
        "    logging.debug('too fine')\n"
        "    if event: raise ValueError('wrong')\n",
        environment={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
    )
    first = function()
    records: list[dict[str, Any]] = [json.loads(line) for line in function.lines]
    assert [each.get("type", each.get("message")) for each in records] == [
        "platform.initStart",
        "platform.start",
        "in view",
        "platform.report",
    ]
    assert records[1]["record"] == {"requestId": first.request_id, "version": "$LATEST"}
    report = records[3]["record"]
    assert (report["requestId"], report["status"]) == (first.request_id, "success")
    assert set(report["metrics"]) == {
        "durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs",
    }  # fmt: skip
    function.error(1)
    report = json.loads(function.lines[-1])["record"]
    assert (report["status"], report["errorType"]) == ("error", "ValueError")


def test_long_lines_are_cut(start: Start) -> None:
    function = start("def handler(event, context): print('x' * 600_000)")
    function()
    lengths = [len(line) for line in function.lines if line.startswith("x")]
    assert lengths == [262_144, 262_144, 600_000 - 2 * 262_144]


def test_bytes_that_are_no_text_are_shown(start: Start) -> None:
    function = start("import os\ndef handler(event, context): os.write(1, b'a\\xffb\\n')")
    function()
    assert "a�b" in function.lines


def test_a_hundred_megabytes_neither_block_nor_stay(start: Start) -> None:
    function = start(
        "import os\n"
        "def handler(event, context):\n"
        "    line = b'y' * 9_999 + b'\\n'\n"
        "    for _ in range(10_000): os.write(1, line)\n"
    )
    seen = {"bytes": 0}

    def count(name: str, line: str) -> None:
        if line.startswith("y"):
            seen["bytes"] += len(line) + 1

    credentials: dict[str, str] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Function(function.spec, endpoint_url=None, log=count, credentials=credentials) as quiet:
        ended = quiet.invoke(b"1")
    assert (ended.error, seen["bytes"]) == (None, 100_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kB


def test_a_thread_that_prints_for_ever_holds_nobody_up(start: Start) -> None:
    function = start(
        "import threading\n"
        "def chatter():\n"
        "    while True: print('.' * 1000)\n"
        "threading.Thread(target=chatter, daemon=True).start()\n"
        "def handler(event, context): return event\n"
    )
    assert [function.value(number) for number in range(5)] == list(range(5))


def test_a_line_of_the_platform_comes_after_what_was_printed() -> None:
    seen: list[str] = []
    output = Output("Function", lambda name, line: seen.append(line))
    os.write(output.writer, b"first\nhalf")
    output.line("END")
    assert seen == ["first", "half", "END"]
    output.close_writer()
    output.close()


def test_the_end_of_an_idle_process_is_noticed_without_its_output(start: Start) -> None:
    function = start("import os\ndef handler(event, context): os.close(1); os.close(2); return os.getpid()")
    process = function.value()
    time.sleep(0.2)  # its keeper would fall asleep
    os.kill(process, signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{process}").exists())


def test_a_function_that_closes_its_output_still_ends(start: Start) -> None:
    function = start(
        "import os\n"
        "def handler(event, context):\n"
        "    os.close(1); os.close(2)\n"
        "    if event: os._exit(1)\n"
        "    return 'quiet'\n"
    )
    assert function.value() == "quiet"
    function = start("import os\ndef handler(event, context):\n    os.close(1); os.close(2); os._exit(1)")
    assert function.error()["errorMessage"].endswith("exit status 1")


def test_a_listener_that_fails_does_not_stop_the_function(start: Start) -> None:
    def fail(name: str, line: str) -> None:
        raise BrokenPipeError

    credentials: dict[str, str] = {}
    spec = start("def handler(event, context): print('told'); return 1").spec
    with Function(spec, endpoint_url=None, log=fail, credentials=credentials) as function:
        ended = function.invoke(b"1")
    assert ended.payload == b"1"
    assert "told" in ended.log_tail
