"""User data: values as exported variables at the head, then the script as it stands in its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from troposphere import Base64, GetAtt, Join, Ref, Sub

from ..core import BuildError

LIMIT = 16_384  # EC2, "User data": bytes after decoding

Value = str | Ref | GetAtt | Sub


def user_data(script: Path, values: Mapping[str, Value]) -> Base64:
    """Boot `script` with `values` in its environment.

    Every value stands in single quotes on a line of its own; the body is never substituted, so that what
    shellcheck reads in the file is what runs. Raises BuildError for a literal that would end its quotes.
    """
    shebang, _, body = script.read_text(encoding="utf-8").partition("\n")
    exports = [_export(name, value) for name, value in values.items()]
    return Base64(Join("\n", [shebang, *exports, body]))


def _export(name: str, value: Value) -> str | Sub:
    if isinstance(value, Ref):
        return Sub(f"export {name}='${{{value.data['Ref']}}}'")
    if isinstance(value, GetAtt):
        return Sub(f"export {name}='${{{'.'.join(value.data['Fn::GetAtt'])}}}'")
    if isinstance(value, Sub):
        return Sub(f"export {name}='{value.data['Fn::Sub']}'")
    if "'" in value or "\n" in value:
        raise BuildError(
            f"user data value {name}={value!r} would end its quotes; leave out quotes and line breaks"
        )
    return f"export {name}='{value}'"
