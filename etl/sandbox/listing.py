"""`GET /_connector/_sync_job`: a page of jobs, newest first, with the filters and the limits of the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.sandbox import replies
from etl.sandbox.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.sandbox.catalogue import Entry, Jobs

PARAMETERS = frozenset({"from", "size", "connector_id", "status", "job_type"})

_WINDOW = 10_000
_DEFAULT_SIZE = 100
_STATUSES = frozenset({"pending", "in_progress", "canceling", "canceled", "suspended", "completed", "error"})
_JOB_TYPES = frozenset({"full", "incremental", "access_control"})


class _RefusedError(Exception):
    """A parameter cannot be; carries the reason."""


def list_reply(jobs: Jobs, parameters: Mapping[str, str]) -> Reply:
    """Answer with the envelope `{"count": ..., "results": [...]}`; the count stops at 10,000, as the real one does."""
    try:
        start = _whole(parameters, "from", 0)
        size = _whole(parameters, "size", _DEFAULT_SIZE)
        found = _matching(jobs, parameters)
    except _RefusedError as refused:
        return replies.illegal_argument(str(refused))
    if start + size > _WINDOW:
        return replies.result_window(start + size)
    found.sort(key=_newest_first)
    bodies = [jobs.body(entry.id) for entry in found[start : start + size]]
    results = b",".join(body for body in bodies if body is not None)
    return Reply(body=b'{"count":%d,"results":[%s]}' % (min(len(found), _WINDOW), results))


def empty_reply() -> Reply:
    """Answer where the index does not exist: 200, unlike for one job."""
    return Reply(body=b'{"count":0,"results":[]}')


def _newest_first(entry: Entry) -> float:
    return float("inf") if entry.created is None else -entry.created


def _matching(jobs: Jobs, parameters: Mapping[str, str]) -> list[Entry]:
    connector_id = parameters.get("connector_id")
    status = _known(parameters.get("status"), _STATUSES, "SyncStatus")
    types = [_known(name, _JOB_TYPES, "JobType") for name in parameters.get("job_type", "").split(",") if name]
    return [
        entry
        for entry in jobs.entries()
        if connector_id in {None, entry.connector_id}
        and status in {None, entry.status}
        and (not types or entry.job_type in types)
    ]


def _known(name: str | None, names: frozenset[str], kind: str) -> str | None:
    if name is None or name.lower() in names:
        return name and name.lower()
    msg = f"Unknown {kind}: {name}"
    raise _RefusedError(msg)


def _whole(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError as error:
        msg = f"Failed to parse int parameter [{name}] with value [{text}]"
        raise _RefusedError(msg) from error
    if number < 0:
        msg = f"Parameter [{name}] cannot be < 0"
        raise _RefusedError(msg)
    return number
