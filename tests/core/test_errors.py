"""Bad input: one line a fault, all of a run together, exit status 2, and no template lost or half-written."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blueprints.cli import cli
from blueprints.core.errors import Fault

Write = Callable[[Mapping[str, str | bytes]], None]

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "faults"

API = "blueprint: blueprints.crud_api:CrudApi\nconfig: {auth: iam}\n"
API_OF = "blueprint: blueprints.crud_api:CrudApi\nconfig: "
QUEUE = """\
from troposphere import sqs

from blueprints.core import Blueprint, Config, Parameter


class Queue(Blueprint[Config]):
    \"\"\"A queue.\"\"\"

    account_id = Parameter("String", "Account.", default="", pattern="[0-9]{12}")
    names = Parameter("CommaDelimitedList", "Names.", default="")

    def build(self) -> None:
        self.add(sqs.Queue("Queue", QueueName=self.account_id, KmsMasterKeyId=self.names))
"""


@dataclass(frozen=True)
class Case:
    """Files below an empty folder, and all that `blueprints render` says there."""

    files: Mapping[str, str | bytes]
    lines: Sequence[str]
    arguments: Sequence[str] = ()


def read_cases(path: Path) -> Iterator[tuple[str, Case]]:
    """The cases of a file: `=== name`, then `--- path` and a file's text, `--- arguments`, and `--- says`."""
    for text in path.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, rest = text.partition("\n")
        parts = re.split(r"^--- (.+)\n", rest, flags=re.MULTILINE)
        sections = dict(zip(parts[1::2], parts[2::2], strict=True))
        lines = sections.pop("says").split("\n")[:-1]
        arguments = sections.pop("arguments", "").split()
        yield f"{path.stem}: {name}", Case(sections, [line for line in lines if line], arguments)


FAULTS = {name: case for path in sorted(FOLDER.glob("*.txt")) for name, case in read_cases(path)}

# What no text file holds, or what is too large for one.
RAW = {
    "not UTF-8": Case(
        {"stacks/prod/api.yaml": f"{API}# caf\xe9\n".encode("latin-1")},
        ["stacks/prod/api.yaml: not UTF-8 at byte 64; save it as UTF-8 text"],
    ),
    "UTF-16": Case(
        {"stacks/prod/api.yaml": API.encode("utf-16")},
        ["stacks/prod/api.yaml: not UTF-8 at byte 0; save it as UTF-8 text"],
    ),
    "a control character": Case(
        {"stacks/prod/api.yaml": f"{API}# \0\n"},
        [
            "stacks/prod/api.yaml: not text (unacceptable character #x0000: control characters are not allowed);"
            " take that character out"
        ],
    ),
    "over a megabyte": Case(
        {"stacks/prod/api.yaml": API + "#" * 1_000_000},
        ["stacks/prod/api.yaml: over 1,000,000 bytes; shorten it"],
    ),
    "nested 900 times": Case(
        {"stacks/prod/api.yaml": f"{API_OF}{'[' * 900}{']' * 900}\n"},
        ["stacks/prod/api.yaml: line 2: nested too deeply to be a stack file; flatten it"],
    ),
    "nested 100,000 times": Case(
        {"stacks/prod/api.yaml": f"{API_OF}{'[' * 100_000}{']' * 100_000}\n"},
        ["stacks/prod/api.yaml: line 2: nested too deeply to be a stack file; flatten it"],
    ),
    "a name of 129 characters": Case(
        {f"stacks/prod/{'x' * 129}.yaml": API},
        [
            f"stacks/prod/{'x' * 129}.yaml: '{'x' * 129}' cannot name a stack; use a letter, then letters, digits"
            " and hyphens"
        ],
    ),
}
CASES = FAULTS | RAW
TOGETHER = {name: case for name, case in FAULTS.items() if name.startswith("together: ")}


def render(*arguments: str) -> Result:
    """Run `blueprints render` in this process, without the validator."""
    return CliRunner().invoke(cli, ["render", "--no-validate", *arguments])


def python(folder: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with our package in reach."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=surroundings(seed),
        capture_output=True,
        text=True,
        check=False,
    )


def surroundings(seed: str = "0") -> dict[str, str]:
    """The environment of such a process."""
    return {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


def temporary_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_fault_is_one_complete_line(case: Case, folder: Path, write: Write) -> None:
    write(case.files)
    result = render(*case.arguments)
    assert result.stderr.splitlines() == list(case.lines)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert not temporary_files(folder)


def test_the_contract_is_covered() -> None:
    several = [case for case in TOGETHER.values() if len({line.partition(":")[0] for line in case.lines}) > 1]
    assert len(several) >= 10
    assert len(CASES) - len(TOGETHER) >= 25


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault("a.yaml", "", "empty; fill it"), "a.yaml: empty; fill it"),
        (Fault("", "build", "no; do"), "build: no; do"),
        (Fault("a\nb.yaml", "x\x1b[31m", "got\r\n\t\u2028it"), r"a\nb.yaml: x\x1b[31m: got\r\n\t\u2028it"),
        (Fault("caf\xe9.yaml", "\udcff", "\U0001f600"), "caf\xe9.yaml: \\udcff: \U0001f600"),
    ],
)
def test_a_fault_is_one_line_whatever_is_in_it(fault: Fault, line: str) -> None:
    assert str(fault) == line


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_process_ends_with_2_and_without_traceback_in_an_order_that_no_hash_decides(
    seed: str, folder: Path, write: Write
) -> None:
    lines: list[str] = []
    for number, case in enumerate(TOGETHER.values()):
        if "own.py" in case.files:
            continue
        for name, text in case.files.items():
            write({name.replace("stacks/", f"stacks/e{number:02}-"): text})
        lines += [line.replace("stacks/", f"stacks/e{number:02}-") for line in case.lines]
    done = python(folder, "-m", "blueprints", "render", "--no-validate", seed=seed)
    assert done.stderr.splitlines() == sorted(lines)
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["render", "lint"])
def test_other_commands_tell_bad_input_the_same_way(command: str, folder: Path) -> None:
    done = python(folder, "-m", "blueprints", command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stacks: no such folder; name the folder of stack files with --stacks\n"


def test_what_blueprints_print_on_stderr_is_kept(folder: Path, write: Write) -> None:
    loud = 'import sys; print("look here", file=sys.stderr); self.add('
    write({"stacks/prod/own.yaml": "blueprint: own:Queue\n", "own.py": QUEUE.replace("self.add(", loud)})
    result = render()
    assert (result.exit_code, result.stderr) == (0, "look here\n")


def test_text_stays_as_it_is_written(folder: Path, write: Write) -> None:
    write(
        {
            "own.py": QUEUE,
            "stacks/prod/one.yaml": "blueprint: own:Queue\n"
            "parameters: {AccountId: 012345678901, Names: [y, no, 'on']}\n"
            "tags: {a: 012, b: 1e3, c: yes, d: 12:30:00, e: '', f: ~x, g: 0x1F, h: 2026-01-01}\n",
            "stacks/prod/two.yaml": "blueprint: own:Queue\nparameters: {AccountId: '000000000012'}\n",
        }
    )
    assert render().exit_code == 0
    one, two = (
        json.loads(Path(f"templates/prod/{name}.configuration.json").read_text()) for name in ("one", "two")
    )
    assert one["Parameters"] == {"AccountId": "012345678901", "Names": "y,no,on"}
    assert one["Tags"] == {
        "a": "012", "b": "1e3", "c": "yes", "d": "12:30:00", "e": "", "f": "~x", "g": "0x1F", "h": "2026-01-01"
    }  # fmt: skip
    assert two["Parameters"] == {"AccountId": "000000000012"}


def test_a_byte_order_mark_is_no_part_of_the_first_key(folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": b"\xef\xbb\xbf" + API.encode()})
    assert render().exit_code == 0


@pytest.mark.parametrize(
    "name", ["api", "prod/api", "stacks/prod/api.yaml", "./stacks/../stacks/prod/api.yaml"]
)
def test_a_stack_answers_to_its_name_and_its_path(name: str, folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": API, "stacks/prod/web.yaml": API})
    assert render(name).exit_code == 0
    assert render(str(folder / "stacks/prod/api.yaml")).stdout == "1 stack, nothing changed\n"
    assert not Path("templates/prod/web.yaml").exists()


# What was there stays


def test_a_failing_stack_keeps_its_template_and_does_not_stop_the_others(folder: Path, write: Write) -> None:
    names = ("a-good", "b-bad", "c-good")
    write({f"stacks/prod/{name}.yaml": API for name in names})
    assert render().exit_code == 0
    before = {path: path.read_bytes() for path in Path("templates/prod").iterdir()}
    changed = API.replace("iam}", "iam, burst: 7}")
    write(
        {f"stacks/prod/{name}.yaml": changed for name in names}
        | {"stacks/prod/b-bad.yaml": f"{changed}tag: x\n"}
    )
    result = render()
    assert result.exit_code == 2
    assert result.stdout == "wrote templates/prod/a-good.yaml\nwrote templates/prod/c-good.yaml\n"
    after = {path: path.read_bytes() for path in Path("templates/prod").iterdir()}
    assert before.keys() == after.keys()
    assert sorted(path.name for path in before if before[path] != after[path]) == [
        "a-good.yaml",
        "c-good.yaml",
    ]


@pytest.mark.parametrize(
    ("method", "code"), [("replace", errno.ENOSPC), ("replace", errno.EACCES), ("open", errno.EROFS)]
)
def test_a_file_that_cannot_be_written_is_left_whole(
    method: str, code: int, folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"stacks/prod/api.yaml": API})
    assert render().exit_code == 0
    before = {path: path.read_bytes() for path in Path("templates/prod").iterdir()}
    write({"stacks/prod/api.yaml": API.replace("iam}", "iam, burst: 7}")})

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if method == "replace":
            patch.setattr(os, "replace", fail)
        else:
            patch.setattr(Path, "write_bytes", fail)
        result = render()
    line = (
        f"templates/prod/api.yaml: cannot be written: {os.strerror(code)}; mend that or choose another --out"
    )
    assert result.stderr.splitlines() == [line]
    assert result.exit_code == 2
    assert {path: path.read_bytes() for path in Path("templates/prod").iterdir()} == before


SLOW_BUILD = QUEUE.replace(
    "self.add(", 'import pathlib, time; pathlib.Path("ready").touch(); time.sleep(60); self.add('
)
SLOW_WRITE = """\
import os, pathlib, time
def replace(*_):
    pathlib.Path("ready").touch()
    time.sleep(60)
os.replace = replace
from blueprints.cli import main
main()
"""


@pytest.mark.parametrize("moment", ["build", "write"])
def test_an_interrupt_leaves_the_old_files(moment: str, folder: Path, write: Write) -> None:
    write({"stacks/prod/api.yaml": API, "stacks/prod/own.yaml": "blueprint: own:Queue\n", "own.py": QUEUE})
    assert render().exit_code == 0
    before = {path: path.read_bytes() for path in Path("templates/prod").iterdir()}
    write({"stacks/prod/api.yaml": API.replace("iam}", "iam, burst: 7}")})
    program = ["-c", SLOW_WRITE]
    if moment == "build":
        write({"own.py": SLOW_BUILD})
        program = ["-m", "blueprints"]
    with subprocess.Popen(
        [sys.executable, *program, "render", "--no-validate"],
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts pytest in the background has it ignore interrupts, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 30
        while not Path("ready").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (stdout, stderr.strip()) == ("", "Aborted!")
    assert {path: path.read_bytes() for path in Path("templates/prod").iterdir()} == before
