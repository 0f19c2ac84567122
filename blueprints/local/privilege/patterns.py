"""Text of policies as it is compared: wildcards and policy variables.

IAM User Guide, "IAM JSON policy elements: Resource", "Variables and tags", "Condition operators".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from .request import NotJudgedError, Request

# ${aws:PrincipalTag/team}, the same with a default in quotes, and ${*}, ${?}, ${$} for the letters themselves
_VARIABLE = re.compile(
    r"\$\{(?:(?P<letter>[*?$])|\s*(?P<key>[^${},]+?)\s*(?:,\s*'(?P<default>[^']*)')?\s*)\}"
)
_WILD = {"*": "(.*)", "?": "(.)"}
_WITHIN_A_PART = {"*": "([^:]*)", "?": "([^:])"}


def variables(text: str) -> set[str]:
    """Condition keys that stand in a text as variables, in small letters."""
    return {found["key"].lower() for found in _VARIABLE.finditer(text) if found["key"]}


def matched(pattern: str, text: str, request: Request) -> tuple[str, ...] | None:
    """What stands in the place of each wildcard, from the left; None where the text does not match.

    Capitals count. Raises NotJudgedError where a variable's value is not known.
    """
    return _match(pattern, text, request, [_WILD])


def matched_arn(pattern: str, arn: str, request: Request) -> tuple[str, ...] | None:
    """The same for a Resource: a wildcard reaches over a colon from the end of a part, or within the last part."""
    return _match(pattern, arn, request, [_WITHIN_A_PART] * 5 + [_WILD], open_ended=True)


def like_arn(pattern: str, arn: str, request: Request) -> bool:
    """The comparison of ArnLike and ArnEquals: each of the six parts is compared by itself."""
    parts, given = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(given) == 6 and all(
        matched(part, text, request) is not None for part, text in zip(parts, given, strict=True)
    )


def filled(text: str, request: Request) -> str | None:
    """A text with its variables filled in and no wildcards in it; None where one has no value."""
    parts = [literal for literal, _ in _parts(text, request)]
    return None if None in parts else "".join(str(part) for part in parts)


def _match(
    pattern: str, text: str, request: Request, wild: Sequence[dict[str, str]], *, open_ended: bool = False
) -> tuple[str, ...] | None:
    letters: list[tuple[str, bool]] = []
    for literal, special in _parts(pattern, request):
        if literal is None:
            return None
        letters += [(letter, special and letter in _WILD) for letter in literal]
    expression, colons = "", 0
    for at, (letter, special) in enumerate(letters):
        if special:
            last = letter == "*" and letters[at + 1 : at + 2] in ([], [(":", False)])
            expression += (_WILD if open_ended and last else wild[min(colons, len(wild) - 1)])[letter]
        else:
            colons += letter == ":"
            expression += re.escape(letter)
    found = re.fullmatch(expression, text, re.DOTALL)
    return found.groups() if found else None


def _parts(text: str, request: Request) -> Iterable[tuple[str | None, bool]]:
    """Pieces of a text, each with whether wildcards in it are any. A variable's value has none."""
    end = 0
    for found in _VARIABLE.finditer(text):
        yield text[end : found.start()], True
        yield found["letter"] or _value(found["key"], found["default"], request), False
        end = found.end()
    yield text[end:], True


def _value(key: str, default: str | None, request: Request) -> str | None:
    values = request.values(key)
    if len(values) > 1:
        raise NotJudgedError(f"{key} has several values, so it is no policy variable")
    return values[0] if values else default


def needless(witnesses: Sequence[tuple[str, ...]]) -> str | None:
    """Why a pattern is wider than its uses, each of which has put a text in the place of each wildcard.

    A wildcard is needed when two uses differ in it, and when nothing around what differs could stand in the pattern:
    `backups/*` is needed for `backups/a/1` and `backups/b/1`, and is too wide for `backups/a/1` and `backups/a/2`.
    """
    for texts in map(sorted, map(set, zip(*witnesses, strict=True))):
        if len(texts) == 1:
            return f"it has matched {texts[0]!r} alone"
        start = re.sub(r"[^:/]*$", "", _common(texts))
        end = re.sub(r"^[^:/]*", "", _common([text[::-1] for text in texts])[::-1])
        if start or end:
            return f"all that it has matched is {start}*{end}"
    return None


def _common(texts: Sequence[str]) -> str:
    """What texts begin with, letter by letter."""
    return "".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*texts, strict=False)))
