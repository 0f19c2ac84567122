"""CloudFormation's functions over values that are known: text, lists and networks.

Each takes its arguments resolved, raises ValueError with what is wrong and what to write, and knows no template.
Source: User Guide, "Intrinsic function reference", and for Length and ToJsonString "AWS::LanguageExtensions".
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

NO_VALUE = object()
"""AWS::NoValue: whatever holds it drops it."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def text(value: Any) -> str:
    """A scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    kind = "no value" if value is NO_VALUE else f"a {type(value).__name__}"
    raise ValueError(f"{kind} stands where a text is needed; write a single value")


def elements(value: Any, size: int | None = None, words: str = "a list") -> list[Any]:
    """A list, of `size` elements if told."""
    if not isinstance(value, list) or (size is not None and len(cast("list[Any]", value)) != size):
        raise ValueError(f"got {value!r}; write {words}")
    return cast("list[Any]", value)


def whole(value: Any, words: str) -> int:
    """A whole number, also one that is written as text."""
    found = text(value)
    if not re.fullmatch(r"[+-]?\d+", found, re.ASCII):
        raise ValueError(f"got {found!r}; write {words}")
    return int(found)


def join(argument: Any) -> str:
    """Fn::Join: [delimiter, list]."""
    delimiter, parts = elements(argument, 2, "[delimiter, list]")
    return text(delimiter).join(text(each) for each in elements(parts))


def split(argument: Any) -> list[str]:
    """Fn::Split: [delimiter, text]."""
    delimiter, source = elements(argument, 2, "[delimiter, text]")
    if not text(delimiter):
        raise ValueError("the delimiter is empty; write at least one character")
    return text(source).split(text(delimiter))


def select(argument: Any) -> Any:
    """Fn::Select: [index, list]."""
    index, found = elements(argument, 2, "[index, list]")
    position, listed = whole(index, "a whole number as index"), elements(found)
    if not 0 <= position < len(listed):
        raise ValueError(f"index {position} of a list of {len(listed)}; write 0 to {len(listed) - 1}")
    return listed[position]


def encode(argument: Any) -> str:
    """Fn::Base64 of a text, as UTF-8."""
    return base64.b64encode(text(argument).encode()).decode("ascii")


def cidr(argument: Any) -> list[str]:
    """Fn::Cidr: [block, count, host bits]; the count is 1 to 256, and the blocks have to fit."""
    block, count, *bits = elements(argument)
    if len(bits) > 1:
        raise ValueError("more than three arguments; write [block, count, bits]")
    network = ipaddress.ip_network(text(block))
    host_bits = whole(bits[0], "a number of bits") if bits else 8
    wanted = whole(count, "a count of 1 to 256")
    prefix = network.max_prefixlen - host_bits
    if not 1 <= wanted <= 256:
        raise ValueError(f"a count of {wanted}; write 1 to 256")
    if not network.prefixlen <= prefix <= network.max_prefixlen or wanted > 2 ** (prefix - network.prefixlen):
        raise ValueError(f"{network} does not hold {wanted} blocks of {host_bits} host bits")
    return [str(each) for each in islice(network.subnets(new_prefix=prefix), wanted)]


def length(argument: Any) -> int:
    """Fn::Length of a list."""
    return len(elements(argument))


def to_json(argument: Any) -> str:
    """Fn::ToJsonString of a list or mapping, without blanks."""
    if not isinstance(argument, (list, dict)):
        raise ValueError(f"got {argument!r}; write a list or a mapping")
    return json.dumps(argument, separators=(",", ":"))


def substitute(template: str, give: Callable[[str], Any]) -> str:
    """Fn::Sub: ${Name} by what `give` says of the name; ${!Literal} becomes ${Literal}."""

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        return f"${{{name[1:]}}}" if name.startswith("!") else text(give(name))

    return _PLACEHOLDER.sub(replace, template)


def placeholders(template: str) -> Iterator[str]:
    """Names in the ${} of a Fn::Sub."""
    return (name for name in _PLACEHOLDER.findall(template) if not name.startswith("!"))


def same(argument: Any) -> bool:
    """Fn::Equals: two values, compared as text where they are scalars."""
    left, right = elements(argument, 2, "[one value, the other]")
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return left == right
    return text(left) == text(right)


# Of resolved arguments alone.
PLAIN: dict[str, Callable[[Any], Any]] = {
    "Fn::Base64": encode,
    "Fn::Cidr": cidr,
    "Fn::Join": join,
    "Fn::Select": select,
    "Fn::Split": split,
}

# Only where the template declares the transform AWS::LanguageExtensions.
EXTENSIONS: dict[str, Callable[[Any], Any]] = {"Fn::Length": length, "Fn::ToJsonString": to_json}
