"""What the figures need of a job, derived from its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.report.bins import bins_of
from etl.schema.tables import LARGEST_DOCUMENT_MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    "job_id", "connector_id", "job_type", "status", "created_at", "started_at", "completed_at", "canceled_at",
    "last_seen", "indexed_document_count", "indexed_document_volume", "deleted_document_count",
    "total_document_count", "error", "extra_json", "fetched_at", "not_found_at",
)  # fmt: skip
"""Columns of sync_jobs that the report reads."""

_DAY_US = 86_400_000_000


def seconds_between(start: pa.ChunkedArray, end: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the seconds from one time to another as floats; null where either is missing."""
    return pc.divide(pc.cast(pc.microseconds_between(start, end), pa.float64()), 1e6)


def ended_at(jobs: pa.Table) -> pa.ChunkedArray:
    """Return when jobs ended: completed, else canceled."""
    return pc.coalesce(jobs["completed_at"], jobs["canceled_at"])


def days_of(times: pa.ChunkedArray) -> pa.Array:
    """Return days since 1970 (UTC); null where the time is missing."""
    values = pc.fill_null(pc.cast(times, pa.int64()), 0).to_numpy()
    return pa.array((values // _DAY_US).astype(np.int32), pa.int32(), mask=times.is_null().to_numpy())


def codes_of(values: pa.ChunkedArray, known: Sequence[str | None]) -> pa.ChunkedArray:
    """Return each value's place in `known`; len(known) for what is not in it."""
    places = pc.index_in(values, value_set=pa.array(known, pa.string()))
    return pc.cast(pc.fill_null(places, len(known)), pa.int32())


def odd_volumes(jobs: pa.Table) -> pa.ChunkedArray:
    """Tell of each job whether its volume cannot be in MiB: no mean document is over the limit of a request."""
    volume = pc.cast(jobs["indexed_document_volume"], pa.float64(), safe=False)
    documents = pc.cast(pc.fill_null(jobs["indexed_document_count"], 0), pa.float64(), safe=False)
    most = pc.multiply(pc.max_element_wise(documents, 0.0), float(LARGEST_DOCUMENT_MIB))
    return pc.fill_null(pc.or_(pc.less(volume, 0.0), pc.greater(volume, most)), False)  # noqa: FBT003 - a fill value


def derived(jobs: pa.Table) -> pa.Table:
    """Return a table of what the figures add up, one row a job.

    Columns: day (int32, days since 1970, or null), connector_id, job_type, status, one (1), documents, deleted, volume
    (float64; the volume in MiB, 0 where it is odd), odd (1 where the volume is odd), duration and queue (bins; the
    duration only of jobs that completed).
    """
    odd = odd_volumes(jobs)
    completed = pc.fill_null(pc.equal(jobs["status"], "completed"), False)  # noqa: FBT003 - a fill value
    duration = bins_of(seconds_between(jobs["started_at"], jobs["completed_at"]))
    volume = pc.cast(jobs["indexed_document_volume"], pa.float64(), safe=False)
    return pa.table(
        {
            "day": days_of(jobs["created_at"]),
            "connector_id": jobs["connector_id"],
            "job_type": jobs["job_type"],
            "status": jobs["status"],
            "one": pa.array(np.ones(jobs.num_rows, np.int64)),
            "documents": _amount(jobs["indexed_document_count"]),
            "deleted": _amount(jobs["deleted_document_count"]),
            "volume": pc.if_else(odd, 0.0, pc.fill_null(volume, 0.0)),
            "odd": pc.cast(odd, pa.int64()),
            "duration": pc.if_else(completed, duration, pa.scalar(None, pa.int32())),
            "queue": bins_of(seconds_between(jobs["created_at"], jobs["started_at"])),
        }
    )


def _amount(counts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return counts as floats, since whole numbers in documents may be so large that their sum would run over."""
    return pc.cast(pc.fill_null(counts, 0), pa.float64(), safe=False)
