"""What SAM templates become on deployment: the SAM translator, offline, in a process of its own.

The translator brings boto3, takes half a second to import and logs as it likes. A child keeps all of that out
of this process and runs beside the checker that is loading here. This module is both ends: imported it starts
the child, run with `-m` it is the child. One child expands a whole batch.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .cache import Cache, key
from .finding import Finding, Source
from .packaged import package, parameters
from .tools import version

if TYPE_CHECKING:
    import subprocess

DISTRIBUTION = "aws-sam-translator"
ENGINE = "sam-translator"
SUFFIX = " (expanded)"
KIND = "expansions"  # what they are called in the cache

# Wants a name for the region of literal ARNs; any region will do, since those ARNs are not reported.
_REGION = "us-east-1"

# Rules about what nobody uses, and about what only the translator has written (versions that it retains
# without a second policy, conditions that it nests).
_TRANSLATOR_RULES = frozenset({"W2001", "W7001", "W8001", "W1028", "W3011", "I3011"})

# How a section's entry is used, in the spelling of json.dumps.
_USES = ('"Ref": "{}"', "${{{}}}", '"Condition": "{}"', '"Fn::If": ["{}"', '"Fn::FindInMap": ["{}"')


@dataclass(frozen=True)
class Expansion:
    """The CloudFormation template a SAM template becomes, as JSON text, or why it becomes none.

    `beyond_author` lists places its author does not control: a parameter that the translator has resolved
    (`Parameters.Alias`, used in the source, not here), a resource it has made (`Resources.FunctionRole`).
    """

    text: str | None
    errors: tuple[str, ...] = ()
    beyond_author: frozenset[str] = frozenset()


def expand(sources: Sequence[Source]) -> dict[str, Expansion]:
    """Expansions by name of source. Parameters take the defaults their template declares."""
    with Expander(sources) as expander:
        return {source.name: found for source, found in zip(sources, expander.collect(), strict=True)}


def findings(source: Source, expansion: Expansion) -> list[Finding]:
    """The translator's own complaints, placed at the resource they name."""
    return [_finding(source, message) for message in expansion.errors]


def expanded(source: Source, expansion: Expansion) -> list[Source]:
    """The expansion as something to check: one source, or none if the translator refused."""
    return [] if expansion.text is None else [Source(source.name + SUFFIX, expansion.text)]


def concerns_author(finding: Finding, expansion: Expansion) -> bool:
    """False where the translator alone is the cause, and nobody could mend the source."""
    return finding.rule not in _TRANSLATOR_RULES or not any(
        finding.where == place or finding.where.startswith(f"{place}.") for place in expansion.beyond_author
    )


class Expander:
    """A running child. It starts on construction, so that the caller can load something else meanwhile.

    What `cache` holds needs no child.
    """

    def __init__(self, sources: Sequence[Source], cache: Cache | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._cache = cache
        self._keys = [_key(source) for source in sources] if cache else [source.text for source in sources]
        self._found = {
            name: found for name in self._keys if cache and (found := cache.read(name, _expansion))
        }
        self._missed = dict(zip(self._keys, sources, strict=True))
        for name in self._found:
            del self._missed[name]
        self._files = ExitStack()
        if self._missed:
            import tempfile  # not at the top, where a run without SAM templates would pay for it

            version(DISTRIBUTION)  # says what to install, before a child fails to import it
            # Files, not pipes: a template larger than a pipe's buffer would block both ends or need a thread.
            self._answers = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed on exit
            self._log = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed on exit
            texts = [source.text for source in self._missed.values()]
            self._process = _start(texts, self._answers, self._log)

    def __enter__(self) -> Expander:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # of use only when the caller failed before it could collect
            self._process.wait()
        self._files.close()

    def collect(self) -> list[Expansion]:
        """Wait for the child; expansions in the order of the sources."""
        found = {**self._found, **(self._answered(self._process) if self._process else {})}
        return [found[name] for name in self._keys]

    def _answered(self, process: subprocess.Popen[bytes]) -> dict[str, Expansion]:
        status = process.wait()
        self._answers.seek(0)
        try:
            plain: list[dict[str, Any]] = json.load(self._answers)
            found = {name: _expansion(each) for name, each in zip(self._missed, plain, strict=True)}
        except (ValueError, KeyError, TypeError):
            return dict.fromkeys(self._missed, Expansion(None, (self._failure(status),)))
        for name, each in zip(self._missed, plain, strict=True):
            if self._cache:
                self._cache.write(name, each)
        return found

    def _failure(self, status: int) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        return f"the SAM translator ended with status {status}: {last}"


def _start(texts: list[str], answers: BinaryIO, log: BinaryIO) -> subprocess.Popen[bytes]:
    import subprocess
    import tempfile

    # -P keeps the caller's working folder from shadowing modules; -m finds this package, whatever its name,
    # on the same path that found it here.
    command = [sys.executable, "-P", "-m", f"{__package__}.sam"]
    with tempfile.TemporaryFile() as questions:
        questions.write(json.dumps(texts).encode())
        questions.seek(0)
        return subprocess.Popen(command, stdin=questions, stdout=answers, stderr=log, env=_environment())  # noqa: S603


def _environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[(__package__ or "").count(".") + 1]
    path = [os.path.abspath(folder) for folder in sys.path]
    if str(root) not in path:
        path.append(str(root))
    # A fixed seed, so that equal input gives equal expansions and thereby equal line numbers.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONHASHSEED": "0"}


def _key(source: Source) -> str:
    ours = (Path(__file__).with_name(name).read_bytes() for name in ("sam.py", "packaged.py", "template.py"))
    return key("expansion", version(DISTRIBUTION), *ours, source.text)


def _expansion(plain: Any) -> Expansion:
    """Raises ValueError for what is no expansion, since cache files may come from anyone."""
    try:
        text, errors, beyond = plain["text"], plain["errors"], plain["beyond_author"]
        if not isinstance(text, str | None):
            raise ValueError(f"not an expansion: text is {type(text).__name__}")
        return Expansion(text, tuple(map(str, errors)), frozenset(map(str, beyond)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an expansion: {error}") from error


def _finding(source: Source, message: str) -> Finding:
    named = re.search(r"with id \[(\w+)\]", message)
    where = f"Resources.{named[1]}" if named else ""
    line = _line(source.text, named[1]) if named else 1
    return Finding(source.name, line, "SAM", "error", where, message, ENGINE)


def _line(text: str, logical_id: str) -> int:
    """The line on which a logical id is defined; the first line if it is the translator's own."""
    found = re.search(rf"""(?:^[ \t]+|[{{,]\s*)["']?(?P<id>{logical_id})["']?[ \t]*:""", text, re.MULTILINE)
    return text.count("\n", 0, found.start("id")) + 1 if found else 1


# From here on: the child.


def _serve() -> None:
    """Answer one batch on what was standard output; print and logging of anyone else go to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answers:
        os.dup2(2, 1)
        json.dump([_expand(text) for text in json.load(sys.stdin.buffer)], answers)


def _expand(text: str) -> dict[str, Any]:
    from samtranslator.model.exceptions import ExceptionWithMessage

    from .template import TemplateError, load

    try:
        source = load(text)
        # The translator changes what it is given, and the source is still needed.
        template = _translate(json.loads(json.dumps(source)))
        return {
            "text": json.dumps(template, indent=1),
            "errors": [],
            "beyond_author": _beyond_author(source, template),
        }
    except TemplateError as error:
        messages = [f"cannot be read: {error}"]
    except ExceptionWithMessage as error:
        causes: Sequence[Any] = getattr(error, "causes", None) or [error]
        messages = [" ".join(str(cause.message).split()) for cause in causes]
    except (
        Exception
    ) as error:  # the translator stumbles over malformed input in many ways; none may end the batch
        messages = [f"the SAM translator failed: {type(error).__name__}: {' '.join(str(error).split())}"]
    return {"text": None, "errors": messages, "beyond_author": []}


def _translate(template: dict[str, Any]) -> dict[str, Any]:
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    package(template)
    translator = Translator(None, Parser(), boto_session=cast("Any", _Session()))
    return translator.translate(
        template,
        parameters(template),
        passthrough_metadata=True,  # so that checks a resource declares as ignored stay ignored
        get_managed_policy_map=dict,
    )


class _Session:
    """All that the translator asks of a boto3 session; a real one would look for credentials."""

    region_name = _REGION


def _beyond_author(source: dict[str, Any], template: dict[str, Any]) -> list[str]:
    before, after = json.dumps(source), json.dumps(template)
    entries = [
        (section, name)
        for section in ("Parameters", "Mappings", "Conditions")
        for name in cast("dict[str, Any]", source.get(section) or {})
    ]
    resolved = [
        f"{section}.{name}" for section, name in entries if _uses(before, name) and not _uses(after, name)
    ]
    return resolved + [
        f"Resources.{name}" for name in template["Resources"] if name not in source["Resources"]
    ]


def _uses(text: str, name: str) -> bool:
    return any(use.format(name) in text for use in _USES)


if __name__ == "__main__":
    _serve()
