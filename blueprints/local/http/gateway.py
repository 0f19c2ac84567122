"""From a request to a response: route, throttle, authorize, invoke, and what is said where one of them fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from . import access_log, answers, cors, events, sigv4, tokens
from .api import Answer, Api, Function, Iam, Jwt, Mock, NotEmulated
from .call import Call
from .keys import KeyCache
from .message import Headers, Request, Response
from .refusals import Refusal
from .routing import Router
from .throttle import Throttles
from .workers import Late, Workers

# Bytes; the request line counts for HTTP APIs, header values for both:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
_HEADERS = 10_240
# Lambda's own limit for a synchronous invocation: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_EVENT = 6_291_456


Invoke = Callable[[str, bytes], Answer]


@dataclass(frozen=True)
class Surroundings:
    """What the gateways of one front share."""

    invoke: Invoke
    principals: Mapping[str, str]
    keys: KeyCache
    workers: Workers
    clock: Callable[[], float]
    log: Callable[[str], None]


class Gateway:
    """One API."""

    def __init__(self, api: Api, around: Surroundings) -> None:
        self.api = api
        self._around = around
        self._router = Router(api)
        self._throttles = Throttles(around.clock)

    def answer(self, request: Request) -> Response:
        """Never raises; a defect of this package is the gateway's 500 and a line in the log."""
        try:
            return self._answer(request)
        except Exception as error:
            self._around.log(f"{self.api.logical_id}: defect: {_one_line(error)}")
            return self.refuse("bug")

    def refuse(self, name: str) -> Response:
        """The answer to what is no request of this API yet."""
        return Refusal(name).response(self.api.kind)

    def _answer(self, request: Request) -> Response:
        began = time.perf_counter()
        call = Call(self.api, request, self._around.clock())
        try:
            response = self._respond(call)
        except Refusal as refusal:
            call.notes["error.message"] = refusal.detail or refusal.name
            response = refusal.response(self.api.kind)
        response = replace(response, headers=(*response.headers, *self._ids(call)))
        self._note(call, response, time.perf_counter() - began)
        return response

    def _ids(self, call: Call) -> Headers:
        if self.api.kind == "HTTP":
            return (("apigw-requestid", call.extended_id),)
        return (("x-amzn-RequestId", call.id), ("x-amz-apigw-id", call.extended_id))

    def _note(self, call: Call, response: Response, latency: float) -> None:
        if call.stage and call.stage.log_format:
            self._around.log(access_log.line(call.stage.log_format, call, response, latency))

    def _respond(self, call: Call) -> Response:
        request = call.request
        _check_headers(self.api, request)
        call.stage, inside = self._router.stage(request.path)
        try:
            call.match = self._router.match(request.method, call.stage, inside)
        except Refusal:
            greeting = cors.preflight(self.api.cors, request) if self.api.cors else None
            if greeting is None:
                raise
            return greeting
        if not self._throttles.admit(call.match.stage, call.match.route):
            raise Refusal("throttled", "Rate exceeded")
        self._authorize(call)
        if self.api.cors is None:
            return self._integrate(call)
        # A route for OPTIONS, or for ANY, has its authorizer asked first; the gateway greets all the same.
        return cors.preflight(self.api.cors, request) or cors.decorated(
            self.api.cors, request, self._integrate(call)
        )

    def _authorize(self, call: Call) -> None:
        route, around = call.matched.route, self._around
        try:
            if isinstance(route.authorizer, NotEmulated):
                raise _not_emulated(route.authorizer)
            if isinstance(route.authorizer, Iam):
                call.caller = sigv4.signer(call, around.principals)
            if isinstance(route.authorizer, Jwt):
                call.caller = tokens.bearer(call, route.authorizer, route.scopes, around.keys, around.log)
        except Refusal as refusal:
            call.notes["authorizer.error"] = refusal.detail
            raise

    def _integrate(self, call: Call) -> Response:
        called = call.matched.route.integration
        if isinstance(called, NotEmulated):
            raise _not_emulated(called)
        if isinstance(called, Mock):
            own = any(name.lower() == "content-type" for name, _ in called.headers)
            headers = called.headers if own else (("Content-Type", "application/json"), *called.headers)
            return Response(called.status, headers, called.body.encode())
        began = time.perf_counter()
        try:
            response = answers.response(call, called.payload, self._invoke(call, called))
            call.notes["integration.status"] = str(response.status)
            # Lambda's own, beside the function's
            call.notes["integration.integrationStatus"] = call.notes["integrationStatus"] = "200"
            return response
        except Refusal as refusal:
            call.notes["integration.error"] = call.notes["integrationErrorMessage"] = refusal.detail
            raise
        finally:
            latency = str(round((time.perf_counter() - began) * 1000))
            call.notes["integration.latency"] = call.notes["integrationLatency"] = latency

    def _invoke(self, call: Call, called: Function) -> Answer:
        given = json.dumps(events.event(call, called.payload), ensure_ascii=False).encode("utf-8", "replace")
        if len(given) > _EVENT:
            raise Refusal("event too large", f"The event has {len(given)} bytes, Lambda takes {_EVENT}")
        try:
            return self._around.workers.call(lambda: self._around.invoke(called.arn, given), called.timeout)
        except Late:
            raise Refusal("timed out", f"No answer within {called.timeout:g} seconds") from None
        except Exception as error:
            self._around.log(f"{self.api.logical_id}: not invoked: {_one_line(error)}")
            raise Refusal("not invoked", f"Lambda refused the invocation: {error}") from None


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _not_emulated(part: NotEmulated) -> Refusal:
    return Refusal("not emulated", f"{part.name} is not emulated")


def _check_headers(api: Api, request: Request) -> None:
    size = sum(len(value.encode("utf-8", "replace")) for _, value in request.headers)
    if api.kind == "HTTP":
        size += len(request.method) + len(request.path) + len(request.query) + len(request.protocol) + 3
    if size > _HEADERS:
        raise Refusal("headers too large", f"{size} bytes of headers")
