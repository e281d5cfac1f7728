"""`GET /_connector/_sync_job`: a page of jobs, newest first, with the filters and the limits of the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.sandbox import replies
from etl.sandbox.reading import listed, whole
from etl.sandbox.replies import RefusedError, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.sandbox.catalogue import Entry, View

PARAMETERS = frozenset({"from", "size", "connector_id", "status", "job_type"})

_DEFAULT_SIZE = 100
_STATUSES = frozenset({"pending", "in_progress", "canceling", "canceled", "suspended", "completed", "error"})
_JOB_TYPES = frozenset({"full", "incremental", "access_control"})


def list_reply(view: View, parameters: Mapping[str, str], window: int) -> Reply:
    """Answer with the envelope `{"count": ..., "results": [...]}`.

    Args:
        view: the jobs.
        parameters: of the query.
        window: how far a page may reach, and where the count stops.

    Raises:
        RefusedError: a parameter cannot be.
    """
    start, size = page_of(parameters, window)
    found = _matching(view, parameters)
    bodies = [view.body(entry.id) for entry in found[start : start + size]]
    return envelope([body for body in bodies if body is not None], len(found), window)


def page_of(parameters: Mapping[str, str], window: int) -> tuple[int, int]:
    """Return from and size of a page.

    Raises:
        RefusedError: one is no whole number, or the page ends beyond the window.
    """
    start = whole(parameters, "from", 0)
    size = whole(parameters, "size", _DEFAULT_SIZE)
    if start + size > window:
        raise RefusedError(replies.result_window(start + size, window))
    return start, size


def envelope(bodies: list[bytes], count: int, window: int) -> Reply:
    """Answer with results and a count that stops at the window without a word."""
    return Reply(body=b'{"count":%d,"results":[%s]}' % (min(count, window), b",".join(bodies)))


def empty_reply() -> Reply:
    """Answer where the index does not exist: 200, unlike for one job."""
    return Reply(body=b'{"count":0,"results":[]}')


def _matching(view: View, parameters: Mapping[str, str]) -> list[Entry]:
    connector_id = parameters.get("connector_id")
    status = None if "status" not in parameters else _known(parameters["status"], _STATUSES, "SyncStatus")
    types = frozenset(_known(name, _JOB_TYPES, "JobType") for name in listed(parameters, "job_type"))

    def find() -> list[Entry]:
        return [
            entry
            for entry in view.newest_first
            if connector_id in {None, entry.connector_id}
            and status in {None, entry.status}
            and (not types or entry.job_type in types)
        ]

    return view.remember(("list", connector_id, status, types), find)


def _known(name: str, names: frozenset[str], kind: str) -> str:
    if name.lower() in names:
        return name.lower()
    raise RefusedError(replies.illegal_argument(f"Unknown {kind}: {name}"))
