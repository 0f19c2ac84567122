"""troposphere objects as plain data, each validated and visited once.

troposphere's own `to_dict()` walks what it has made of every nested object again on each level above it; on
templates with deep properties that is most of a rendering. Classes that bring their own `to_dict()` keep it.
"""

from __future__ import annotations

from typing import Any

from troposphere import AWSHelperFn, BaseAWSObject

_SCALARS = frozenset({str, int, bool, float, type(None)})


def plain(value: Any) -> Any:
    """Dicts, lists and scalars. Raises what troposphere raises for a property that is missing or wrong."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: plain(each) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [plain(each) for each in value]
    to_dict = getattr(kind, "to_dict", None)
    if to_dict is BaseAWSObject.to_dict:
        return _object(value)
    if to_dict is AWSHelperFn.to_dict:
        return plain(value.data)
    if to_dict is not None:
        return plain(value.to_dict())
    if hasattr(kind, "JSONrepr"):  # awacs
        return plain(value.JSONrepr())
    return value


def _object(value: Any) -> Any:
    if value.do_validation:
        value._validate_props()
        value.validate()
    if value.properties:
        return plain(value.resource)
    return {key: plain(each) for key, each in value.resource.items() if key != "Properties"}
