"""What is known of jobs without reading their rows: month and whether settled, at most 64 bytes a job.

A job is settled when its status is final and it was fetched at least `settle` after the latest time in its document.
`fetched_at` in a row is the first receipt of that version; later fetches that found it unchanged stand in the
outcomes of their runs and count as well. A row with `not_found_at` follows the same rule: it is spared a fetch where
it was settled before the cluster lost the job, else it is asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.keys import Bools, Int32s, Int64s, Keys
from etl.schema.tables import FINAL_STATUSES, JOB_TIMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from etl.load.reader import Snapshot

INDEX_COLUMNS = ("job_id", "status", *JOB_TIMES, "fetched_at", "created_month")
"""The columns of sync_jobs that an index is made of."""

RECHECK_COLUMNS = ("id", "fetched_at")
"""The columns of outcomes.parquet that tell of fetches that changed nothing."""

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JobIndex:
    """Jobs by hash; positions are those of the sorted arrays.

    Attributes:
        keys: sorted.
        month_codes: position in `months` for each job.
        months: each month once; None is that of undated jobs.
        settled: whether a job may be spared a fetch.
    """

    keys: Keys
    month_codes: Int32s
    months: tuple[str | None, ...]
    settled: Bools

    def __len__(self) -> int:
        return len(self.keys)

    def lookup(self, ids: Sequence[str]) -> Int64s:
        """Return the position of each id, -1 for unknown ones."""
        return self.keys.find(Keys.of(ids))

    def settled_of(self, ids: Sequence[str]) -> Bools:
        """Tell for each id whether it is known and settled."""
        at = self.lookup(ids)
        known = at >= 0
        settled = np.zeros(len(at), dtype=np.bool_)
        settled[known] = self.settled[at[known]]
        return settled


class MonthCodes:
    """Small numbers for months, given in the order in which the months turn up."""

    def __init__(self, months: Iterable[str | None] = ()) -> None:
        self._codes: dict[str | None, int] = {month: code for code, month in enumerate(months)}

    def encode(self, column: pa.ChunkedArray) -> Int32s:
        """Return the number of each month in a column."""
        encoded = column.combine_chunks().dictionary_encode()
        codes = [self._code(month) for month in encoded.dictionary.to_pylist()]
        if encoded.null_count:
            codes.append(self._code(None))
        places = encoded.indices.fill_null(max(len(codes) - 1, 0)).to_numpy(zero_copy_only=False)
        numbers: Int32s = np.array(codes, dtype=np.int32)[places]
        return numbers

    @property
    def months(self) -> tuple[str | None, ...]:
        """The months by their number."""
        return tuple(self._codes)

    def _code(self, month: str | None) -> int:
        return self._codes.setdefault(month, len(self._codes))


def build_index(
    chunks: Iterable[pa.Table], size: int, settle: timedelta, rechecks: Iterable[pa.Table] = ()
) -> JobIndex:
    """Make an index out of rows of sync_jobs.

    Args:
        chunks: rows in the columns INDEX_COLUMNS; of two of one job the one fetched later counts, else the later one.
        size: number of all rows.
        settle: how long after the latest time in a document a fetch must be to settle the job.
        rechecks: rows in the columns RECHECK_COLUMNS.

    Raises:
        OutputError: there are more or fewer rows than `size`.
    """
    high, low = np.empty(size, np.uint64), np.empty(size, np.uint64)
    months, due, fetched = np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.int64)
    codes = MonthCodes()
    end = 0
    for chunk in chunks:
        start, end = end, end + chunk.num_rows
        if end > size:
            raise OutputError(_miscounted(size))
        keys = Keys.of(chunk["job_id"])
        high[start:end], low[start:end] = keys.high, keys.low
        months[start:end] = codes.encode(chunk["created_month"])
        fetched[start:end] = micros(chunk["fetched_at"])
        due[start:end] = _due(chunk, fetched[start:end], settle)
    if end != size:
        raise OutputError(_miscounted(size))
    order = np.lexsort((fetched, low, high))
    order = order[Keys(high=high[order], low=low[order]).last_of_each()]
    keys = Keys(high=high[order], low=low[order])
    months, due, fetched = months[order], due[order], fetched[order]
    settled = fetched >= due
    for recheck in rechecks:
        at = keys.find(Keys.of(recheck["id"]))
        hit = at >= 0
        again = micros(recheck["fetched_at"])[hit] >= due[at[hit]]
        settled[at[hit][again]] = True
    return JobIndex(keys=keys, month_codes=months, months=codes.months, settled=settled)


def published_index(snapshot: Snapshot | None, settle: timedelta, rechecks: Iterable[pa.Table] = ()) -> JobIndex:
    """Make the index of a snapshot's jobs; of no job where there is no snapshot.

    Raises:
        OutputError: a file cannot be read.
    """
    if snapshot is None:
        return build_index((), 0, settle)
    return build_index(snapshot.chunks("sync_jobs", INDEX_COLUMNS), snapshot.rows("sync_jobs"), settle, rechecks)


def micros(column: pa.ChunkedArray) -> Int64s:
    """Return times as microseconds since 1970; null is the least number there is."""
    whole: Int64s = pc.fill_null(column.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
    return whole


def _due(chunk: pa.Table, fetched: Int64s, settle: timedelta) -> Int64s:
    """Return from when on a fetch settles each job. Without any time in the document its first receipt counts."""
    latest = np.maximum.reduce([micros(chunk[name]) for name in JOB_TIMES])
    latest = np.where(latest == np.iinfo(np.int64).min, fetched, latest)
    wait = min(settle // type(settle)(microseconds=1), _NEVER)
    final = pc.fill_null(pc.is_in(chunk["status"], pa.array(FINAL_STATUSES)), fill_value=False).to_numpy()
    return np.where(final & (latest <= _NEVER - wait), np.minimum(latest, _NEVER - wait) + wait, _NEVER)


def _miscounted(size: int) -> str:
    return f"sync_jobs: the files do not hold the {size} rows that the manifest names; see `etl verify`"
