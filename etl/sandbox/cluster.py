"""The stand-in cluster: a request goes in, a reply comes out. No socket is known here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from http import HTTPStatus
from typing import TYPE_CHECKING

from etl.errors import UsageError
from etl.sandbox import connector_list, replies
from etl.sandbox.access import Caller, identify, refusal
from etl.sandbox.faulty import faulty_reply
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.given import GivenJobs
from etl.sandbox.points import Points
from etl.sandbox.reading import flag
from etl.sandbox.replies import RefusedError, Reply
from etl.sandbox.routes import JOB, ROUTES
from etl.sandbox.shaping import filtered, pretty

if TYPE_CHECKING:
    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import Jobs
    from etl.sandbox.faults import Fault
    from etl.sandbox.request import Request
    from etl.sandbox.routes import Route
    from etl.sandbox.settings import SandboxSettings

_JOBS_SINCE = (8, 12)
_COMMON_PARAMETERS = frozenset({"pretty", "human", "error_trace", "filter_path"})
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+json\s*;\s*compatible-with\s*=\s*(\d+)")


class Cluster:
    """A cluster with sync jobs.

    Attributes:
        requests_by_route: how often each route was asked, by the route's name; refused requests count too.
        requests_by_id: how often each job was asked for by its id, alone or with others.
        faults: how often a request went wrong on purpose, by the fault's name.
        jobs: its sync jobs.
        points: the points in time that are open.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.requests_by_route: Counter[str] = Counter()
        self.requests_by_id: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.settings: SandboxSettings = settings
        self.version = _version(settings.version)
        self.jobs: Jobs = (
            GeneratedJobs(settings.seed, settings.jobs, settings.population)
            if settings.documents is None
            else GivenJobs(settings.documents)
        )
        self.points = Points()
        self._keys = {key.encoded: key for key in settings.api_keys}
        self._struck: Counter[str] = Counter()

    def connectors(self) -> list[dict[str, JsonValue]]:
        """Return the documents of all connectors, also of those that are marked as deleted."""
        settings = self.settings
        if settings.connectors is not None:
            return connector_list.connectors_given(settings.connectors)
        return (
            self._generated_connectors
            if settings.documents is None
            else connector_list.connectors_named_in(self.jobs.view())
        )

    @cached_property
    def _generated_connectors(self) -> list[dict[str, JsonValue]]:
        return connector_list.connectors_of(self.settings.population, self.settings.seed)

    def reply(self, request: Request) -> Reply:
        """Answer a request as Elasticsearch would, or go wrong as the settings say."""
        route = self._route(request)
        if route is not None:
            self.requests_by_route[route.name] += 1
            if route is JOB:
                self.requests_by_id[request.segments[-1]] += 1
        caller = identify(request.headers.get("authorization"), request.target, self._keys, self.settings.users)
        if isinstance(caller, Reply):
            return caller
        reply = self._admitted(request, route, caller)
        return _in_asked_form(reply, request.headers.get("accept", ""), self.version[0])

    def _admitted(self, request: Request, route: Route | None, caller: Caller) -> Reply:
        if route is None:
            return replies.no_handler(request.target, request.method)
        if not route.knows(request.method):
            return replies.wrong_method(request.target, request.method, ", ".join(route.methods))
        refused = refusal(caller, route.need(self.version, request))
        if refused is not None:
            return refused
        unknown = sorted(request.parameters.keys() - route.parameters - _COMMON_PARAMETERS)
        if unknown:
            return replies.unrecognized(request.path, unknown[0])
        if request.body and not route.takes_body:
            return replies.illegal_argument(f"request [{request.method} {request.path}] does not support having a body")
        fault = self._strike(request, route)
        if fault is None:
            return self._answered(request, route)
        self.faults[fault] += 1
        return faulty_reply(fault, self, request, lambda: self._answered(request, route))

    def _answered(self, request: Request, route: Route) -> Reply:
        try:
            is_pretty = flag(request.parameters, "pretty")
            reply = route.answer(self, request)
        except RefusedError as refused:
            return refused.reply
        filter_path = request.parameters.get("filter_path")
        if filter_path and reply.status == HTTPStatus.OK:  # an error is never filtered
            reply = replace(reply, body=filtered(reply.body, filter_path))
        return replace(reply, body=pretty(reply.body)) if is_pretty else reply

    def _route(self, request: Request) -> Route | None:
        if request.segments[:1] == ("_connector",) and self.version < _JOBS_SINCE:
            return None
        return next((route for route in ROUTES if route.fits(request.segments)), None)

    def _strike(self, request: Request, route: Route) -> Fault | None:
        """Faults spare `GET /`, so that a failing check of the cluster always means its settings."""
        if route.is_spared:
            return None
        key = request.segments[-1] if route is JOB else request.target
        if request.body:
            key = f"{key} {blake2b(request.body, digest_size=8).hexdigest()}"
        self._struck[key] += 1
        return self.settings.faults.strike(key, self._struck[key], is_job=route is JOB)


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)\.\d+", text)
    if match is None:
        msg = f"version: {text!r} is not like 9.1.0"
        raise UsageError(msg)
    return int(match[1]), int(match[2])


def _in_asked_form(reply: Reply, accept: str, major: int) -> Reply:
    """Name the content type as the official client asks for it, or refuse a client of another major version."""
    asked = _COMPATIBLE.search(accept)
    if asked is None:
        return reply
    if int(asked[1]) not in {major, major - 1}:
        return replies.incompatible(major, asked[1], accept)
    wanted = f"application/vnd.elasticsearch+json;compatible-with={asked[1]}"
    headers = tuple((name, wanted if value == "application/json" else value) for name, value in reply.headers)
    return replace(reply, headers=headers)
