"""Which stage and which route a path belongs to.

HTTP APIs, https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: a stage named by
the first segment, else $default; then a full match of route and method, then a greedy variable, then $default.
REST APIs always have the stage first. That they choose the resource before they look at its methods, and ignore a slash
at the end (https://github.com/floci-io/floci/issues/1557), is known from use and not documented.

AWS does not say when `%2F` becomes a slash; here a path is split first and decoded afterwards, so that it never
separates segments. For HTTP APIs a slash at the end is an empty last segment, which a greedy variable takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from .api import ANY, DEFAULT, Api, Route, Stage
from .refusals import Refusal

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

_LITERAL, _VARIABLE, _GREEDY = range(3)


@dataclass(frozen=True)
class Match:
    """`path` is what follows the stage, still encoded; `parameters` are decoded."""

    stage: Stage
    path: str
    route: Route
    parameters: dict[str, str]


@dataclass(frozen=True)
class _Pattern:
    segments: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, path: str) -> _Pattern:
        return cls(
            tuple(_segment(part) for part in path.strip("/").split("/")) if path != "/" else ((0, ""),)
        )

    @property
    def rank(self) -> tuple[bool, tuple[int, ...]]:
        kinds = tuple(kind for kind, _ in self.segments)
        return _GREEDY in kinds, kinds

    def match(self, segments: list[str], *, rest: bool) -> dict[str, str] | None:
        """Parameters of a match; `rest` wants something for a greedy variable."""
        found: dict[str, str] = {}
        for index, (kind, name) in enumerate(self.segments):
            if index >= len(segments):
                return None
            if kind == _GREEDY:
                found[name] = unquote("/".join(segments[index:]), errors="replace")
                return found if found[name] or not rest else None
            value = unquote(segments[index], errors="replace")
            if kind == _VARIABLE and value:
                found[name] = value
            elif kind == _VARIABLE or value != name:
                return None
        return found if len(segments) == len(self.segments) else None


def _segment(part: str) -> tuple[int, str]:
    if part.startswith("{") and part.endswith("+}"):
        return _GREEDY, part[1:-2]
    return (_VARIABLE, part[1:-1]) if part.startswith("{") and part.endswith("}") else (_LITERAL, part)


class Router:
    """The routes of one API, compiled."""

    def __init__(self, api: Api) -> None:
        self._rest = api.kind == "REST"
        self._stages = {stage.name: stage for stage in api.stages}
        methods: dict[str, dict[str, Route]] = {}
        for route in api.routes:
            methods.setdefault(route.path, {})[route.method] = route
            if self._rest:
                for parent in _parents(route.path):
                    methods.setdefault(parent, {})
        self._default = next(iter(methods.pop(DEFAULT, {}).values()), None)
        compiled = [(_Pattern.of(path), routes) for path, routes in methods.items()]
        self._paths = sorted(compiled, key=lambda each: each[0].rank)

    def match(self, method: str, stage: Stage, inside: str) -> Match:
        """`inside` is the path after the stage. Raises Refusal where nothing answers."""
        segments = inside[1:].split("/")
        if self._rest and len(segments) > 1 and segments[-1] == "":
            segments.pop()
        if method in _METHODS:
            for pattern, routes in self._paths:
                parameters = pattern.match(segments, rest=self._rest)
                if parameters is None:
                    continue
                route = routes.get(method) or routes.get(ANY)
                if route is not None:
                    return Match(stage, inside, route, parameters)
                if self._rest:
                    break
            if self._default is not None:
                return Match(stage, inside, self._default, {})
        raise Refusal("no route", f"No route for {method} {inside}")

    def stage(self, path: str) -> tuple[Stage, str]:
        """The stage of a path, and what follows it. Raises Refusal."""
        name, slash, remainder = path[1:].partition("/")
        if name in self._stages and name != DEFAULT:
            return self._stages[name], slash + remainder or "/"
        if DEFAULT in self._stages and not self._rest:
            return self._stages[DEFAULT], path
        raise Refusal("no stage", f"No stage {name}")


def _parents(path: str) -> list[str]:
    """The resources above a path, which exist without methods of their own."""
    parts = path.strip("/").split("/")
    return ["/", *("/" + "/".join(parts[:count]) for count in range(1, len(parts)))]
