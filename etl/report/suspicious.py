"""Jobs that are stuck, or that cannot be as they say."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.report.columns import ended_at, odd_volumes, seconds_between
from etl.schema.tables import FINAL_STATUSES, LARGEST_DOCUMENT_MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

LISTED = 40
"""Jobs of a kind that are listed, the newest; all are counted."""

SILENCE_S = 300.0
"""The service itself gives up on a job after so many seconds without a sign of life."""

LATE_S = 3600.0
"""Seconds after which a job that has not begun, or began so late, is worth a look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A reason to look at a job.

    Attributes:
        name: short, unique.
        title: for a person.
        meaning: what it says, and what may be the cause.
        measure: what the figure beside a job is.
        applies: (jobs, with a column looked_at) → for each the figure, null where the reason does not apply.
    """

    name: str
    title: str
    meaning: str
    measure: str
    applies: Callable[[pa.Table], pa.ChunkedArray]


def _where(condition: pa.ChunkedArray, figure: pa.ChunkedArray) -> pa.ChunkedArray:
    met = pc.fill_null(condition, False)  # noqa: FBT003 - a fill value
    return pc.if_else(met, pc.cast(figure, pa.float64(), safe=False), pa.scalar(None, pa.float64()))


def _is(jobs: pa.Table, *statuses: str) -> pa.Array:
    return pc.is_in(jobs["status"], value_set=pa.array(statuses, pa.string()))


def _silent(jobs: pa.Table) -> pa.ChunkedArray:
    silence = seconds_between(jobs["last_seen"], jobs["looked_at"])
    return _where(pc.and_(_is(jobs, "in_progress", "canceling"), pc.greater(silence, SILENCE_S)), silence)


def _waiting(jobs: pa.Table) -> pa.ChunkedArray:
    wait = seconds_between(jobs["created_at"], jobs["looked_at"])
    return _where(pc.and_(_is(jobs, "pending"), pc.greater(wait, LATE_S)), wait)


def _suspended(jobs: pa.Table) -> pa.ChunkedArray:
    silence = seconds_between(pc.coalesce(jobs["last_seen"], jobs["created_at"]), jobs["looked_at"])
    return _where(_is(jobs, "suspended"), pc.fill_null(silence, 0.0))


def _late(jobs: pa.Table) -> pa.ChunkedArray:
    queue = seconds_between(jobs["created_at"], jobs["started_at"])
    return _where(pc.greater(queue, LATE_S), queue)


def _gap(jobs: pa.Table) -> pa.ChunkedArray:
    gap = seconds_between(jobs["last_seen"], ended_at(jobs))
    return _where(pc.and_(_is(jobs, *FINAL_STATUSES), pc.greater(gap, SILENCE_S)), gap)


def _backwards(jobs: pa.Table) -> pa.ChunkedArray:
    least = pc.min_element_wise(
        seconds_between(jobs["started_at"], ended_at(jobs)), seconds_between(jobs["created_at"], jobs["started_at"])
    )
    return _where(pc.less(least, 0.0), least)


def _empty(jobs: pa.Table) -> pa.ChunkedArray:
    indexed = jobs["indexed_document_count"]
    is_full = pc.fill_null(pc.equal(jobs["job_type"], "full"), True)  # noqa: FBT003 - jobs before 8.9 have no type
    return _where(
        pc.and_(pc.and_(_is(jobs, "completed"), is_full), pc.equal(indexed, 0)),
        pc.fill_null(jobs["total_document_count"], 0),
    )


def _odd_volume(jobs: pa.Table) -> pa.ChunkedArray:
    return _where(odd_volumes(jobs), jobs["indexed_document_volume"])


KINDS = (
    Kind(
        name="silent",
        title="Running, without a sign of life",
        meaning="In progress or canceling, and silent for more than 5 minutes when it was looked at last. The worker "
        "may be gone.",
        measure="silent for",
        applies=_silent,
    ),
    Kind(
        name="waiting",
        title="Waiting to start",
        meaning="Pending for more than an hour when it was looked at last. Is a connector service running that serves "
        "this connector?",
        measure="waits for",
        applies=_waiting,
    ),
    Kind(
        name="suspended",
        title="Suspended",
        meaning="The worker went away in order; another start takes the job up again under the same id, and its "
        "counters restart at zero.",
        measure="silent for",
        applies=_suspended,
    ),
    Kind(
        name="late",
        title="Started late, or restarted",
        meaning="Started more than an hour after it was created: it waited, or it was suspended and started again, "
        "which overwrites the first start. Duration and counts are then of the last start only.",
        measure="started after",
        applies=_late,
    ),
    Kind(
        name="gap",
        title="Ended long after the last sign of life",
        meaning="The last heartbeat is more than 5 minutes older than the end: the worker hung or died, and the end "
        "was written later.",
        measure="gap of",
        applies=_gap,
    ),
    Kind(
        name="backwards",
        title="Times that run backwards",
        meaning="Started before it was created, or ended before it started: the clocks of two machines differ. Such "
        "durations are left out of the plots.",
        measure="off by",
        applies=_backwards,
    ),
    Kind(
        name="empty",
        title="Full sync without a document",
        meaning="Completed, and indexed nothing. The source may be empty, a rule may exclude everything, or the "
        "counters were lost.",
        measure="documents in the index",
        applies=_empty,
    ),
    Kind(
        name="volume",
        title="Volume not in MiB",
        meaning=f"The volume would be over {LARGEST_DOCUMENT_MIB} MiB a document, more than Elasticsearch takes: "
        "versions before 8.8 reported bytes. It is left out of the sums.",
        measure="reported volume",
        applies=_odd_volume,
    ),
)


@dataclass
class _Found:
    jobs: int = 0
    newest: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LISTED))


class Suspicious:
    """Looks for such jobs.

    Args:
        looks: when jobs were fetched again and found unchanged, by id; see `ChosenJobs.looked_at`.
    """

    def __init__(self, looks: Mapping[str, datetime]) -> None:
        self._looked = pa.array(looks.keys(), pa.string())
        self._at = pa.array(looks.values(), pa.timestamp("us", "UTC"))
        self._found = {kind.name: _Found() for kind in KINDS}

    def add(self, jobs: pa.Table) -> None:
        """Take jobs, in the order of their creation."""
        again = self._at.take(pc.index_in(jobs["job_id"], value_set=self._looked).combine_chunks())
        is_later = pc.fill_null(pc.greater(again, jobs["fetched_at"]), False)  # noqa: FBT003 - a fill value
        jobs = jobs.append_column("looked_at", pc.if_else(is_later, again, jobs["fetched_at"]))
        for kind in KINDS:
            figures = kind.applies(jobs)
            found = self._found[kind.name]
            count = len(figures) - figures.null_count
            if count:
                found.jobs += count
                hits = jobs.append_column("figure", figures).filter(pc.is_valid(figures))
                newest = hits.slice(max(0, count - LISTED))
                found.newest.extend(newest.select([*_LISTED_COLUMNS, "figure"]).to_pylist())

    def found(self) -> list[Reason]:
        """Return what was found, kinds without jobs too."""
        return [
            Reason(kind=kind, jobs=found.jobs, newest=tuple(reversed(found.newest)))
            for kind, found in ((kind, self._found[kind.name]) for kind in KINDS)
        ]


_LISTED_COLUMNS = ("job_id", "connector_id", "job_type", "status", "created_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """The jobs of one kind.

    Attributes:
        kind: of them.
        jobs: how many.
        newest: some of them with their `figure`, the newest first.
    """

    kind: Kind
    jobs: int
    newest: tuple[dict[str, Any], ...]
