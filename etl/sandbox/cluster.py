"""The stand-in cluster: a request goes in, a reply comes out. No socket is known here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from etl.errors import UsageError
from etl.sandbox import listing, replies
from etl.sandbox.access import Caller, Need, connector_need, identify, refusal
from etl.sandbox.catalogue import GeneratedJobs, GivenJobs
from etl.sandbox.faults import Fault
from etl.sandbox.generate import generate_job
from etl.sandbox.replies import Ending, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.sandbox.catalogue import Jobs
    from etl.sandbox.request import Request
    from etl.sandbox.settings import SandboxSettings

_JOBS_SINCE = (8, 12)
_COMMON_PARAMETERS = frozenset({"pretty", "human", "error_trace"})
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+json\s*;\s*compatible-with\s*=\s*(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address that the sandbox knows.

    Attributes:
        name: method and pattern, the key in `requests_by_route`.
        pattern: the parts of the path; None stands for any one part, the id.
        answer: what answers it, given the cluster and the request.
        verb: the end of the action of a connector route; None for `GET /`.
        parameters: what the query may hold.
    """

    name: str
    pattern: tuple[str | None, ...]
    answer: Callable[[Cluster, Request], Reply]
    verb: str | None = None
    parameters: frozenset[str] = frozenset()

    def fits(self, segments: tuple[str, ...]) -> bool:
        """Tell whether a path is this route's."""
        return len(segments) == len(self.pattern) and all(
            part in {None, segment} for part, segment in zip(self.pattern, segments, strict=True)
        )


class Cluster:
    """A cluster with sync jobs.

    Attributes:
        requests_by_route: how often each route was asked, by the route's name; refused requests count too.
        requests_by_id: how often each job was asked for by its id.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.requests_by_route: Counter[str] = Counter()
        self.requests_by_id: Counter[str] = Counter()
        self.settings = settings
        self.version = _version(settings.version)
        self.jobs: Jobs = (
            GeneratedJobs(settings.seed, settings.jobs) if settings.documents is None else GivenJobs(settings.documents)
        )
        self._keys = {key.encoded: key for key in settings.api_keys}
        self._struck: Counter[str] = Counter()

    def reply(self, request: Request) -> Reply:
        """Answer a request as Elasticsearch would, or go wrong as the settings say."""
        route = self._route(request)
        if route is not None:
            self.requests_by_route[route.name] += 1
            if route is _JOB:
                self.requests_by_id[request.segments[-1]] += 1
        caller = identify(request.headers.get("authorization"), request.target, self._keys, self.settings.users)
        if isinstance(caller, Reply):
            return caller
        reply = self._admitted(request, route, caller)
        return _in_asked_form(reply, request.headers.get("accept", ""), self.version[0])

    def _admitted(self, request: Request, route: Route | None, caller: Caller) -> Reply:
        if route is None:
            return replies.no_handler(request.target, request.method)
        if request.method not in {"GET", "HEAD"}:
            return replies.wrong_method(request.target, request.method, "GET")
        refused = refusal(caller, _ROOT_NEED if route.verb is None else connector_need(route.verb, self.version))
        if refused is not None:
            return refused
        unknown = sorted(request.parameters.keys() - route.parameters - _COMMON_PARAMETERS)
        if unknown:
            path = request.target.partition("?")[0]
            return replies.illegal_argument(f"request [{path}] contains unrecognized parameter: [{unknown[0]}]")
        fault = self._strike(request, route)
        if fault is None:
            return route.answer(self, request)
        return _FAULTY[fault](self, request, route)

    def _route(self, request: Request) -> Route | None:
        if request.segments[:1] == ("_connector",) and self.version < _JOBS_SINCE:
            return None
        return next((route for route in _ROUTES if route.fits(request.segments)), None)

    def _strike(self, request: Request, route: Route) -> Fault | None:
        """Faults spare `GET /`, so that a failing check of the cluster always means its settings."""
        if route.verb is None:
            return None
        key = request.segments[-1] if route is _JOB else request.target
        self._struck[key] += 1
        return self.settings.faults.strike(key, self._struck[key], is_job=route is _JOB)


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)\.\d+", text)
    if match is None:
        msg = f"version: {text!r} is not like 9.1.0"
        raise UsageError(msg)
    return int(match[1]), int(match[2])


def _in_asked_form(reply: Reply, accept: str, major: int) -> Reply:
    """Name the content type as the official client asks for it, or refuse a client of another major version."""
    asked = _COMPATIBLE.match(accept)
    if asked is None:
        return reply
    if int(asked[1]) not in {major, major - 1}:
        return replies.incompatible(major, asked[1], accept)
    wanted = f"application/vnd.elasticsearch+json;compatible-with={asked[1]}"
    headers = tuple((name, wanted if value == "application/json" else value) for name, value in reply.headers)
    return replace(reply, headers=headers)


def _answer_root(cluster: Cluster, _request: Request) -> Reply:
    settings = cluster.settings
    return replies.json_reply(
        {
            "name": "sandbox",
            "cluster_name": "sandbox",
            "cluster_uuid": settings.cluster_uuid,
            "version": {
                "number": settings.version,
                "build_flavor": "default",
                "build_type": "docker",
                "build_hash": "0000000000000000000000000000000000000000",
                "build_date": "2025-07-24T22:08:24.026000000Z",
                "build_snapshot": False,
                "lucene_version": "10.2.2",
                "minimum_wire_compatibility_version": "8.19.0",
                "minimum_index_compatibility_version": "8.0.0",
            },
            "tagline": "You Know, for Search",
        }
    )


def _answer_job(cluster: Cluster, request: Request) -> Reply:
    job_id = request.segments[-1]
    if not cluster.settings.has_index:
        return replies.missing_index(job_id)
    body = cluster.jobs.body(job_id)
    return replies.missing_document(job_id) if body is None else Reply(body=body)


def _answer_list(cluster: Cluster, request: Request) -> Reply:
    if not cluster.settings.has_index:
        return listing.empty_reply()
    return listing.list_reply(cluster.jobs, request.parameters)


_ROOT_NEED = Need(action="cluster:monitor/main", granted_by=("monitor", "manage", "all"))
_JOB = Route(
    name="GET /_connector/_sync_job/{id}",
    pattern=("_connector", "_sync_job", None),
    answer=_answer_job,
    verb="sync_job/get",
)
_ROUTES = (
    _JOB,
    Route(
        name="GET /_connector/_sync_job",
        pattern=("_connector", "_sync_job"),
        answer=_answer_list,
        verb="sync_job/list",
        parameters=listing.PARAMETERS,
    ),
    Route(name="GET /", pattern=(), answer=_answer_root),
)


def _list_instead(cluster: Cluster, request: Request, route: Route) -> Reply:
    reply = route.answer(cluster, request)
    return Reply(body=b'{"count":1,"results":[%s]}' % reply.body) if reply.status == HTTPStatus.OK else reply


def _other_job(cluster: Cluster, request: Request, _route: Route) -> Reply:
    job = generate_job(cluster.settings.seed, 0)
    if job["id"] == request.segments[-1]:
        job = generate_job(cluster.settings.seed, 1)
    return replies.json_reply(job)


def _slow(cluster: Cluster, request: Request, route: Route) -> Reply:
    return replace(route.answer(cluster, request), delay_s=cluster.settings.faults.delay_s)


_FAULTY: dict[Fault, Callable[[Cluster, Request, Route], Reply]] = {
    Fault.TOO_MANY: lambda _cluster, _request, _route: replies.too_many(None),
    Fault.TOO_MANY_WITH_RETRY_AFTER: lambda cluster, _request, _route: replies.too_many(
        cluster.settings.faults.retry_after_s
    ),
    Fault.BAD_GATEWAY: lambda _cluster, _request, _route: replies.bad_gateway(),
    Fault.UNAVAILABLE: lambda _cluster, _request, _route: replies.no_shard(),
    Fault.EDGE_PROXY: lambda _cluster, _request, _route: replies.edge_proxy(),
    Fault.RESET: lambda _cluster, _request, _route: Reply(body=b"", ending=Ending.RESET),
    Fault.CUT: lambda cluster, request, route: replace(route.answer(cluster, request), ending=Ending.CUT),
    Fault.GARBAGE: lambda _cluster, _request, _route: replies.garbage(),
    Fault.LIST_ANSWER: _list_instead,
    Fault.OTHER_JOB: _other_job,
    Fault.SLOW: _slow,
}
