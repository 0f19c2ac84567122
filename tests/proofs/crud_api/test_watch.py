"""`blueprints local --watch`: a changed template answers anew, a broken one is told and the old goes on."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .conftest import COMMITTED, ROOT


class Watched:
    """The command on a copy of the template, with what it prints."""

    def __init__(self, template: Path) -> None:
        self.template = template
        command = [sys.executable, "-m", "blueprints", "local", "--template", str(template), "--watch"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.until("HttpApi: http").split()[-1]

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def end(self) -> int:
        """Ctrl-C, as far as the command can tell."""
        self.process.terminate()
        status = self.process.wait(60)
        self._reader.join(60)
        if self.process.stdout:
            self.process.stdout.close()
        return status

    def until(self, text: str) -> str:
        """The next line with a text. Raises queue.Empty when that does not come."""
        while True:
            line = self._lines.get(timeout=60)
            if text in line:
                return line

    def message(self) -> str:
        return requests.get(f"{self.url}/resource/none", timeout=30).json()["message"]

    def write(self, old: str, new: str) -> None:
        self.template.write_text(self.template.read_text().replace(old, new))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    template = tmp_path / "template.yaml"
    template.write_text(COMMITTED.read_text())
    made = Watched(template)
    # The watcher starts after the greeting; what changes before it looks is no change to it.
    made.until("try: curl")
    time.sleep(1)
    yield made
    assert made.end() == 0


def test_a_changed_handler_answers_anew_without_a_new_start(watched: Watched) -> None:
    assert watched.message() == "no such resource"
    watched.write("no such resource", "nothing here")
    watched.until("GetFunction: reloaded")
    assert watched.message() == "nothing here"


def test_what_cannot_be_read_is_told_and_the_old_goes_on(watched: Watched) -> None:
    before = watched.template.read_text()
    watched.template.write_text("Resources: [")
    watched.until("not a template")
    assert watched.message() == "no such resource"
    watched.template.write_text(before.replace("no such resource", "mended"))
    watched.until("GetFunction: reloaded")
    assert watched.message() == "mended"


def test_more_than_code_asks_for_a_new_start(watched: Watched) -> None:
    watched.write("RetentionInDays: 30", "RetentionInDays: 7")
    watched.until("start again to see it")
