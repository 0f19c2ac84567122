"""The APIs of a template whose SAM resources are expanded and whose intrinsics are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .api import Api, NotEmulated
from .http_apis import http_apis
from .rest_apis import rest_apis


def apis(resolved_template: Mapping[str, Any], ids: Mapping[str, str] | None = None) -> list[Api]:
    """Every API, in the order of the template; HTTP APIs before REST APIs.

    `ids` maps logical ids to physical ones, which is what references in a resolved template hold; where it has none,
    references are expected to hold the logical id. Raises ValueError where a number is none.
    """
    known = ids or {}
    found = [*http_apis(resolved_template, known), *rest_apis(resolved_template, known)]
    return [replace(api, unsupported=api.unsupported + _of_routes(api)) for api in found]


def _of_routes(api: Api) -> tuple[str, ...]:
    return tuple(
        f"{route.key}: {part.name}"
        for route in api.routes
        for part in (route.authorizer, route.integration)
        if isinstance(part, NotEmulated)
    )
