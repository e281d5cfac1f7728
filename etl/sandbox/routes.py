"""The addresses that the sandbox knows, what each asks of its caller, and what answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.sandbox import connector_list, listing, mget, replies, search
from etl.sandbox.access import Need, connector_need, index_need
from etl.sandbox.indices import JOBS_INDEX, means_jobs, unknown_name
from etl.sandbox.reading import flag, json_object, known_keys, seconds
from etl.sandbox.replies import RefusedError, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.jsontext import JsonValue
    from etl.sandbox.access import Version
    from etl.sandbox.catalogue import View
    from etl.sandbox.cluster import Cluster
    from etl.sandbox.request import Request

_MARKS_DELETED_SINCE = (8, 18)
_ID = "{id}"
_INDEX = "{index}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address that the sandbox knows.

    Attributes:
        name: method and pattern, the key in `requests_by_route`.
        pattern: the parts of the path; `{id}` stands for any one part, `{index}` for one that can be an index.
        answer: what answers it, given the cluster and the request.
        need: what it asks of its caller, given the cluster's version and the request.
        methods: that it knows; HEAD goes with GET.
        parameters: what the query may hold.
        takes_body: whether a body is read.
        is_spared: whether faults pass it by.
    """

    name: str
    pattern: tuple[str, ...]
    answer: Callable[[Cluster, Request], Reply]
    need: Callable[[Version, Request], Need]
    methods: tuple[str, ...] = ("GET",)
    parameters: frozenset[str] = frozenset()
    takes_body: bool = False
    is_spared: bool = False

    def fits(self, segments: tuple[str, ...]) -> bool:
        """Tell whether a path is this route's."""
        return len(segments) == len(self.pattern) and all(
            part in {_ID, segment} or (part == _INDEX and not segment.startswith("_"))
            for part, segment in zip(self.pattern, segments, strict=True)
        )

    def knows(self, method: str) -> bool:
        """Tell whether a method is known here."""
        return method in self.methods or (method == "HEAD" and "GET" in self.methods)


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
    return listing.list_reply(cluster.jobs.view(), request.parameters, cluster.settings.window)


def _answer_connectors(cluster: Cluster, request: Request) -> Reply:
    if connector_list.INCLUDE_DELETED in request.parameters and cluster.version < _MARKS_DELETED_SINCE:
        raise RefusedError(replies.unrecognized(request.path, connector_list.INCLUDE_DELETED))
    if not cluster.settings.has_index:
        return listing.empty_reply()
    return connector_list.connectors_reply(cluster.connectors(), request.parameters, cluster.settings.window)


def _answer_mget(cluster: Cluster, request: Request) -> Reply:
    index = request.segments[0] if len(request.segments) > 1 else None
    wanted = mget.wanted_of(index, json_object(request), request.parameters)
    cluster.requests_by_id.update([one.id for one in wanted])
    view = cluster.jobs.view() if cluster.settings.has_index else None
    return mget.mget_reply(view, wanted, cluster.settings.faults.always_fail)


def _meant(cluster: Cluster, request: Request) -> View | None:
    """Return the jobs as they are now where the path means their index; None where it may mean none."""
    if len(request.segments) == 1:
        return None  # all indices: the one of sync jobs is hidden
    expression = request.segments[0]
    missing = unknown_name(expression) if cluster.settings.has_index else expression
    if missing is not None and not flag(request.parameters, "ignore_unavailable") and "*" not in missing:
        raise RefusedError(replies.no_such_index(missing))
    return cluster.jobs.view() if cluster.settings.has_index and means_jobs(expression) else None


def _answer_search(cluster: Cluster, request: Request) -> Reply:
    body = json_object(request)
    wanted = search.search_of(body, request.parameters, cluster.settings.window)
    point = search.keep_alive_of(body)
    if point is None:
        return search.search_reply(_meant(cluster, request), wanted, None)
    if len(request.segments) > 1:
        reason = "[indices] cannot be used with point in time. Do not specify any index with point in time."
        raise RefusedError(replies.invalid(reason))
    point_id, keep_alive = point
    view = cluster.points.view(point_id, None if keep_alive is None else seconds(keep_alive, "keep_alive"))
    if view is None:
        raise RefusedError(replies.no_point_in_time())
    return search.search_reply(view, wanted, point_id)


def _answer_count(cluster: Cluster, request: Request) -> Reply:
    return search.count_reply(_meant(cluster, request), json_object(request))


def _open_point(cluster: Cluster, request: Request) -> Reply:
    known_keys(json_object(request), frozenset())
    if "keep_alive" not in request.parameters:
        raise RefusedError(replies.invalid("[keep_alive] is not specified"))
    keep_alive_s = seconds(request.parameters["keep_alive"], "keep_alive")
    view = _meant(cluster, request)
    if view is None:
        raise RefusedError(replies.no_such_index(request.segments[0]))
    point_id = cluster.points.open(view, keep_alive_s)
    return replies.json_reply({"id": point_id, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0}})


def _close_point(cluster: Cluster, request: Request) -> Reply:
    body = json_object(request)
    known_keys(body, frozenset({"id"}))
    ids: JsonValue = body.get("id")
    listed = ids if isinstance(ids, list) else [ids]
    if not all(isinstance(one, str) for one in listed):
        raise RefusedError(replies.invalid("no point in time ids specified"))
    freed = cluster.points.close(listed)
    return replies.json_reply({"succeeded": True, "num_freed": freed}, status=200 if freed else 404)


def _connector(verb: str) -> Callable[[Version, Request], Need]:
    return lambda version, _request: connector_need(verb, version)


def _index(action: str) -> Callable[[Version, Request], Need]:
    return lambda _version, request: index_need(
        action, request.segments[0] if len(request.segments) > 1 else JOBS_INDEX
    )


JOB = Route(
    name="GET /_connector/_sync_job/{id}",
    pattern=("_connector", "_sync_job", _ID),
    answer=_answer_job,
    need=_connector("sync_job/get"),
)
ROUTES = (
    JOB,
    Route(
        name="GET /_connector/_sync_job",
        pattern=("_connector", "_sync_job"),
        answer=_answer_list,
        need=_connector("sync_job/list"),
        parameters=listing.PARAMETERS,
    ),
    Route(
        name="GET /_connector",
        pattern=("_connector",),
        answer=_answer_connectors,
        need=_connector("list"),
        parameters=connector_list.PARAMETERS,
    ),
    Route(
        name="GET /",
        pattern=(),
        answer=_answer_root,
        need=lambda _version, _request: Need(action="cluster:monitor/main", granted_by=("monitor", "manage", "all")),
        is_spared=True,
    ),
    *(
        Route(
            name=f"POST /{'/'.join(pattern)}",
            pattern=pattern,
            answer=answer,
            need=_index(action),
            methods=methods,
            parameters=parameters,
            takes_body=True,
        )
        for pattern, methods, answer, action, parameters in (
            ((_INDEX, "_mget"), ("GET", "POST"), _answer_mget, "mget", mget.PARAMETERS),
            (("_mget",), ("GET", "POST"), _answer_mget, "mget", mget.PARAMETERS),
            ((_INDEX, "_search"), ("GET", "POST"), _answer_search, "search", search.PARAMETERS),
            (("_search",), ("GET", "POST"), _answer_search, "search", search.PARAMETERS),
            ((_INDEX, "_count"), ("GET", "POST"), _answer_count, "search", search.OF_INDICES),
            ((_INDEX, "_pit"), ("POST",), _open_point, "open_point_in_time", search.OF_INDICES | {"keep_alive"}),
        )
    ),
    Route(
        name="DELETE /_pit",
        pattern=("_pit",),
        answer=_close_point,
        need=_index("close_point_in_time"),
        methods=("DELETE",),
        takes_body=True,
    ),
)
