"""Cold and warm starts, concurrency, new code, and the end: as Lambda's execution environments have them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from blueprints.core.errors import BlueprintError
from blueprints.local.functions import FunctionClosed, Invocation, TooManyRequests, worker
from tests.local.functions.harness import Call, Running, Start, eventually, running

ROOT = Path(__file__).parents[3]

COUNTING = """
import os
calls = 0

def handler(event, context):
    global calls
    calls += 1
    return [os.getpid(), calls]
"""

# Says that it runs, then waits until it may end; the event names the folder for both.
WAITING = """
import os, pathlib, time

def handler(folder, context):
    mine = pathlib.Path(folder, context.aws_request_id)
    mine.touch()
    while not pathlib.Path(folder, "go").exists():
        time.sleep(0.005)
    return ["old", os.getpid()]
"""


def begun(folder: Path, count: int) -> None:
    """Wait until so many handlers run."""
    assert eventually(lambda: len(list(folder.iterdir())) >= count)


def test_state_survives_between_invocations_of_one_environment(start: Start) -> None:
    function = start(COUNTING)
    first, second = function(), function()
    assert (first.cold, second.cold) == (True, False)
    assert first.init_ms is not None
    assert first.init_ms > 0
    assert second.init_ms is None
    process, count = function.value()
    assert count == 3
    assert function.processes() == [process]


def test_the_init_phase_is_billed(start: Start) -> None:
    first = start("import time; time.sleep(0.2)\ndef handler(event, context): pass")()
    assert first.init_ms is not None
    assert first.init_ms >= 200
    assert first.duration_ms < 200 <= first.billed_ms
    assert first.billed_ms >= first.duration_ms + first.init_ms


def test_nothing_runs_before_the_first_event(start: Start) -> None:
    function = start(COUNTING)
    assert function.processes() == []


def test_an_environment_may_be_started_ahead(start: Start) -> None:
    function = start(COUNTING)
    function.function.warm()
    assert eventually(lambda: len(function.processes()) == 1)
    process, count = function.value()
    assert ([process], count) == (function.processes(), 1)


def test_simultaneous_events_run_in_environments_of_their_own(start: Start, tmp_path: Path) -> None:
    function = start(WAITING)
    calls = [Call(function, str(tmp_path)) for _ in range(3)]
    begun(tmp_path, 3)
    (tmp_path / "go").touch()
    assert len({call.payload()[1] for call in calls}) == 3


def test_what_is_beyond_the_pool_waits(start: Start, tmp_path: Path) -> None:
    function = start(WAITING, workers=2)
    calls = [Call(function, str(tmp_path)) for _ in range(5)]
    begun(tmp_path, 2)
    assert len(function.processes()) == 2
    (tmp_path / "go").touch()
    assert len({call.payload()[1] for call in calls}) == 2


def test_reserved_concurrency_refuses_at_once_what_is_beyond_it(start: Start, tmp_path: Path) -> None:
    function = start(WAITING, concurrency=1)
    first = Call(function, str(tmp_path))
    begun(tmp_path, 1)
    for _ in range(2):
        with pytest.raises(TooManyRequests, match="Rate Exceeded") as refused:
            function(str(tmp_path))
        assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    (tmp_path / "go").touch()
    assert first.payload()[0] == "old"


def test_one_call_after_the_other_is_no_concurrency(start: Start) -> None:
    function = start(COUNTING, concurrency=1)
    assert [function.value()[1] for _ in range(50)] == list(range(1, 51))


def test_reserved_concurrency_of_zero_never_runs(start: Start) -> None:
    function = start(COUNTING, concurrency=0)
    with pytest.raises(TooManyRequests):
        function()
    assert function.processes() == []


def test_a_caller_out_of_patience_leaves_the_invocation_running(start: Start, tmp_path: Path) -> None:
    function = start(WAITING, concurrency=1)
    with pytest.raises(TimeoutError):
        function(str(tmp_path), wait=0.3)
    begun(tmp_path, 1)
    with pytest.raises(TooManyRequests):
        function(str(tmp_path))
    (tmp_path / "go").touch()
    assert eventually(lambda: any(line.startswith("REPORT") for line in function.lines))
    assert function.value(str(tmp_path))[0] == "old"


def test_an_event_whose_caller_left_before_its_turn_is_dropped(start: Start, tmp_path: Path) -> None:
    function = start(WAITING, workers=1)
    first = Call(function, str(tmp_path))
    begun(tmp_path, 1)
    with pytest.raises(TimeoutError):
        function(str(tmp_path), wait=0.1)
    (tmp_path / "go").touch()
    first.end()
    function.value(str(tmp_path))
    assert len([line for line in function.lines if line.startswith("START")]) == 2


def test_new_code_starts_cold_while_the_old_ends_what_it_began(start: Start, tmp_path: Path) -> None:
    function = start(WAITING)
    old = Call(function, str(tmp_path))
    begun(tmp_path, 1)
    function.replace("def handler(event, context): return 'new'")
    new = function()
    assert (new.payload, new.cold) == (b'"new"', True)
    (tmp_path / "go").touch()
    assert old.payload()[0] == "old"
    assert eventually(lambda: len(function.processes()) == 1)
    assert function.value() == "new"


def test_new_code_ends_idle_environments(start: Start) -> None:
    function = start(COUNTING)
    process = function.value()[0]
    function.replace("def handler(event, context): return 'new'")
    assert eventually(lambda: process not in function.processes())
    assert function.value() == "new"


def test_unfit_new_code_leaves_the_old_in_place(start: Start) -> None:
    function = start(COUNTING)
    process = function.value()[0]
    with pytest.raises(BlueprintError, match="Function: code cannot be unpacked"):
        function.function.replace(replace(function.spec, code=b"no archive"))
    assert function.value() == [process, 2]


def test_closing_ends_a_running_invocation_and_refuses_others(start: Start, tmp_path: Path) -> None:
    function = start(WAITING, workers=1)
    runs = Call(function, str(tmp_path))
    begun(tmp_path, 1)
    waits = Call(function, str(tmp_path))
    assert eventually(lambda: len(function.function._waiting) == 1)  # pyright: ignore[reportPrivateUsage]
    function.function.close()
    ended = runs.end()
    assert isinstance(ended, Invocation)
    assert b"Runtime exited with error: signal: terminated" in ended.payload
    assert isinstance(waits.end(), FunctionClosed)
    assert function.gone()
    with pytest.raises(FunctionClosed):
        function()
    with pytest.raises(FunctionClosed):
        function.replace(COUNTING)
    function.function.warm()
    function.function.close()
    assert function.gone()


def test_closing_ends_what_ignores_sigterm_and_its_children(start: Start) -> None:
    function = start(
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "def handler(event, context): subprocess.Popen(['sleep', '60'])\n"
    )
    function()
    assert len(function.processes()) == 2
    function.function.close()
    assert function.gone()


def test_closing_ends_children_that_left_their_group(start: Start) -> None:
    function = start(
        "import subprocess\n"
        "def handler(event, context):\n"
        "    return subprocess.Popen(['sleep', '60'], start_new_session=True).pid\n"
    )
    child = function.value()
    assert child in function.processes()
    function.function.close()
    assert function.gone()


def test_closing_removes_every_file(start: Start) -> None:
    function = start("import os\ndef handler(event, context): return os.environ['LAMBDA_TASK_ROOT']")
    task_root = Path(function.value())
    function.replace("import os\ndef handler(event, context): return os.environ['TMPDIR']")
    temporary = Path(function.value())
    assert eventually(lambda: not task_root.exists())
    assert temporary.is_dir()
    function.function.close()
    assert not temporary.parents[1].exists()


def test_two_functions_run_side_by_side(start: Start, tmp_path: Path) -> None:
    first, second = start(WAITING), start(COUNTING)
    call = Call(first, str(tmp_path))
    begun(tmp_path, 1)
    assert second.value()[1] == 1
    (tmp_path / "go").touch()
    assert call.payload()[0] == "old"


def test_an_environment_that_was_killed_while_idle_is_replaced(start: Start) -> None:
    function = start(COUNTING)
    process = function.value()[0]
    os.kill(process, signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{process}").exists())
    after, count = function.value()
    assert (after != process, count) == (True, 1)


PARENT = """
import sys, threading, time
from blueprints.local.functions import Function, FunctionSpec, from_inline

code = "import time\\ndef handler(event, context): print('begun', flush=True); time.sleep(event)"
arn = "arn:aws:lambda:eu-west-1:123456789012:function:" + sys.argv[1]
spec = FunctionSpec("F", sys.argv[1], arn, "index.handler", "python3.13", from_inline(code), {}, 60, 256)
function = Function(spec, endpoint_url=None, log=lambda name, line: print(line, flush=True), credentials={})
threading.Thread(target=function.invoke, args=(b"60",), daemon=True).start()
function.invoke(b"0")
time.sleep(60)
"""


def test_no_process_outlives_a_killed_parent_and_its_files_go_later(start: Start, tmp_path: Path) -> None:
    name = f"orphan-{os.getpid()}-{time.monotonic_ns()}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, name], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        seen = [line for line in iter(parent.stdout.readline, "begun\n") if line]
        while not any(line.startswith("REPORT") for line in seen):
            seen.append(parent.stdout.readline())
        assert len(running(name)) == 2
        parent.kill()
    assert eventually(lambda: running(name) == [])
    assert len(list(tmp_path.iterdir())) == 1
    done = [sys.executable, "-c", "from blueprints.local.functions.folder import Folder; Folder().close()"]
    subprocess.run(done, env=environment, check=True, timeout=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_failed_init_phase_is_tried_again_within_the_invocation(
    start: Start, signal_file: Path, attempts: int
) -> None:
    function = start(
        "import os, pathlib, sys\n"
        "seen = pathlib.Path(os.environ['SEEN'])\n"
        "with seen.open('a') as file: file.write('x')\n"
        f"if len(seen.read_text()) <= {attempts}: sys.exit(7)\n"
        "def handler(event, context): return len(seen.read_text())\n",
        environment={"SEEN": str(signal_file)},
    )
    if attempts == 1:
        ended = function()
        assert (ended.payload, ended.init_ms, ended.cold) == (b"2", None, True)
    else:
        assert function.error()["errorMessage"].endswith("Runtime exited with error: exit status 7")
        assert signal_file.read_text() == "xx"
    report = next(line for line in function.lines if line.startswith("INIT_REPORT"))
    assert report.endswith("ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError")


def test_an_init_phase_over_its_limit_is_tried_again(
    start: Start, signal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "INIT_LIMIT", 0.5)
    function = start(
        "import os, pathlib, time\n"
        "seen = pathlib.Path(os.environ['SEEN'])\n"
        "if not seen.exists():\n"
        "    seen.touch()\n"
        "    time.sleep(60)\n"
        "def handler(event, context): return 'ready'\n",
        environment={"SEEN": str(signal_file)},
    )
    assert function.value() == "ready"
    assert any(line.endswith("Phase: init\tStatus: timeout") for line in function.lines)


def test_a_warm_environment_that_cannot_start_is_told_in_the_log(start: Start) -> None:
    function: Running = start("import nowhere")
    function.function.warm()
    assert eventually(lambda: any(line.startswith("INIT_REPORT") for line in function.lines))
    assert function.gone()
