"""What the checkers read and what they report: a `Source` goes in, `Finding`s come out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast

Severity = Literal["error", "warning"]

_SAM = "AWS::Serverless-2016-10-31"

# A text test, because parsing every template only to learn that it is not SAM would cost more than all cache
# hits together. The key stands at the margin (YAML) or quoted after `{` or `,` (JSON); between key and name
# only other macro names and list punctuation may stand. Possessive quantifiers keep the match linear.
_SAM_TRANSFORM = re.compile(
    r"""(?mx)
    (?: ^["']?Transform["']?[ \t]*+: | [{,]\s*+"Transform"\s*+: )
    (?: [\s"',\[-] | \#[^\n]*+\n
      | (?!AWS::Serverless-2016-10-31) [A-Za-z0-9][\w-]*+ (?: ::[\w-]++ )*+ (?=[\s"',\]]) )*+
    AWS::Serverless-2016-10-31
    """
)


@dataclass(frozen=True)
class Source:
    """One template as text, with the name under which its findings are reported."""

    name: str
    text: str

    @property
    def is_sam(self) -> bool:
        """Whether the SAM transform rewrites this template on deployment."""
        return _SAM in self.text and _SAM_TRANSFORM.search(self.text) is not None


@dataclass(frozen=True, order=True)
class Finding:
    """One fault a checker found. Fields stand in the order in which findings are sorted for print."""

    template: str
    line: int
    rule: str
    severity: Severity
    where: str
    message: str
    engine: str

    def to_dict(self) -> dict[str, str | int]:
        """The plain form that the cache stores."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Finding:
        """Rebuild a finding; raise ValueError on any other shape, since cache files may come from anyone."""
        if plain.keys() != _FIELDS.keys():
            raise ValueError(f"not a finding: fields {sorted(plain)}")
        for name, kind in _FIELDS.items():
            if type(plain[name]) is not kind:
                raise ValueError(f"not a finding: {name} is {plain[name]!r}")
        if plain["severity"] not in ("error", "warning"):
            raise ValueError(f"not a finding: severity is {plain['severity']!r}")
        return cls(**cast("dict[str, str]", plain))  # type: ignore[arg-type]


_FIELDS: dict[str, type] = {
    "template": str,
    "line": int,
    "rule": str,
    "severity": str,
    "where": str,
    "message": str,
    "engine": str,
}
