"""Which sync jobs are wanted: by connector, job type, status and time of creation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from etl.errors import UsageError
from etl.schema.tables import FINAL_STATUSES
from etl.settings.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STATUSES: Final = ("pending", "in_progress", "canceling", "suspended", "completed", "error", "canceled")
UNFINISHED: Final = frozenset(STATUSES).difference(FINAL_STATUSES)
JOB_TYPES: Final = ("full", "incremental", "access_control")

TimeOf: TypeAlias = "Callable[[object], datetime | None]"
"""Reads a time as it stands in a document, by the rules of the tables; None where it is no time (UTC otherwise)."""

_AGO = re.compile(r"[0-9.]+(ms|s|m|h|d|w)")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilters:
    """Which jobs are wanted; what is empty or None admits all.

    Attributes:
        connector_ids: of the connectors.
        job_types: one of `JOB_TYPES` each.
        statuses: one of `STATUSES` each.
        since: the first time of creation that is wanted (UTC). A job without one is then not wanted.
        until: the first time of creation that is not wanted any more (UTC); likewise.
    """

    connector_ids: tuple[str, ...] = ()
    job_types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_timed(self) -> bool:
        """Tell whether the time of creation matters."""
        return self.since is not None or self.until is not None

    def admits(
        self, *, connector_id: str | None, job_type: str | None, status: str | None, created_at: datetime | None
    ) -> bool:
        """Tell whether a job of these properties is wanted."""
        if self.connector_ids and connector_id not in self.connector_ids:
            return False
        if self.job_types and job_type not in self.job_types:
            return False
        if self.statuses and status not in self.statuses:
            return False
        if not self.is_timed:
            return True
        return (
            created_at is not None
            and (self.since is None or created_at >= self.since)
            and (self.until is None or created_at < self.until)
        )

    def without_status(self) -> JobFilters:
        """Return the filters that admit every status."""
        return replace(self, statuses=())

    def key(self) -> str:
        """Return a JSON text that is equal for equal filters, whatever the order in which they were given.

        >>> JobFilters(statuses=("error", "canceled")).key()
        '{"connector_ids":[],"job_types":[],"since":null,"statuses":["canceled","error"],"until":null}'
        """
        content = {
            "connector_ids": sorted(self.connector_ids),
            "job_types": sorted(self.job_types),
            "since": None if self.since is None else self.since.isoformat(),
            "statuses": sorted(self.statuses),
            "until": None if self.until is None else self.until.isoformat(),
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def read_filters(
    *,
    connector_ids: Iterable[str] = (),
    job_types: Iterable[str] = (),
    statuses: Iterable[str] = (),
    since: str | None = None,
    until: str | None = None,
    now: datetime,
) -> JobFilters:
    """Read filters as a person gives them.

    Args:
        connector_ids: not empty each; repeats count once.
        job_types: in any case of letters.
        statuses: likewise.
        since: see `read_time`.
        until: see `read_time`.
        now: what "7d" counts back from (UTC).

    Raises:
        UsageError: a name is unknown, a time cannot be read, or no time can be both.
    """
    filters = JobFilters(
        connector_ids=_once("connector id", connector_ids),
        job_types=_known("job type", job_types, JOB_TYPES),
        statuses=_known("status", statuses, STATUSES),
        since=None if since is None else read_time(since, now),
        until=None if until is None else read_time(until, now),
    )
    if filters.since is not None and filters.until is not None and filters.since >= filters.until:
        msg = f"since {filters.since.isoformat()} is not before until {filters.until.isoformat()}: no job can match"
        raise UsageError(msg)
    return filters


def read_time(text: str, now: datetime) -> datetime:
    """Read a time, a date, or how long ago; what has no zone is UTC.

    Raises:
        UsageError: it is none of these.

    >>> read_time("7d", datetime(2026, 11, 24, tzinfo=UTC)).isoformat()
    '2026-11-17T00:00:00+00:00'
    """
    stripped = text.strip()
    try:
        if _AGO.fullmatch(stripped):
            return now - timedelta(seconds=seconds(stripped))
        if "-" in stripped:  # digits alone might be a date, a year, milliseconds: nobody could tell
            moment = datetime.fromisoformat(stripped)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = f"{text!r} is no time: write it like 2026-11-24, 2026-11-24T03:50:00Z or 7d"
    raise UsageError(msg)


def _once(kind: str, values: Iterable[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(value.strip() for value in values))
    if "" in unique:
        msg = f"a {kind} is empty"
        raise UsageError(msg)
    return unique


def _known(kind: str, values: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    unique = _once(kind, (value.lower() for value in values))
    unknown = next((value for value in unique if value not in known), None)
    if unknown is not None:
        msg = f"{unknown!r} is no {kind}: there are {', '.join(known)}"
        raise UsageError(msg)
    return unique
