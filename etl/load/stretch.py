"""A stretch of the dataset: some jobs in order, with their rows in several tables; cut, picked and merged by job.

The order of the dataset is that of creation, undated jobs last, then of ids. Months follow from it: those of a stretch
stand one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etl.load.keys import Bools, Int64s

JOBS = "sync_jobs"

_OFFSET_BYTES = 4  # of each text, in Arrow

UNDATED = np.iinfo(np.int64).max
"""Stands for the creation of undated jobs: they are the last."""

Place: TypeAlias = tuple[int, str]
"""Where a job stands in the order: its creation (microseconds since 1970, or UNDATED), and its id."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """Rows of one table.

    Attributes:
        rows: sorted by job, then by key.
        ends: one element more than there are jobs; the rows of job `n` are those from `ends[n]` up to `ends[n + 1]`.
    """

    rows: pa.RecordBatch
    ends: Int64s

    @property
    def counts(self) -> Int64s:
        """The number of rows of each job."""
        counts: Int64s = self.ends[1:] - self.ends[:-1]
        return counts

    def cut(self, first: int, last: int) -> Part:
        """Return the rows of the jobs from `first` up to `last`."""
        start, end = int(self.ends[first]), int(self.ends[last])
        return Part(rows=self.rows.slice(start, end - start), ends=self.ends[first : last + 1] - start)

    def pick(self, wanted: Bools) -> Part:
        """Return the rows of some jobs; one element a job."""
        counts = self.counts
        return Part(rows=self.rows.filter(pa.array(np.repeat(wanted, counts))), ends=_ends(counts[wanted]))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stretch:
    """Jobs with their rows.

    Attributes:
        job_ids: in order.
        created: of each job (microseconds since 1970, or UNDATED).
        parts: by table.
    """

    job_ids: pa.Array
    created: Int64s
    parts: Mapping[str, Part]

    @classmethod
    def of(cls, tables: Mapping[str, pa.RecordBatch]) -> Stretch:
        """Take the rows of jobs in the order of the dataset, sync_jobs among them.

        Raises:
            OutputError: rows are not in that order, or belong to other jobs.
        """
        jobs = tables[JOBS]
        ids, created = jobs.column("job_id"), creation(jobs.column("created_at"))
        if np.any(np.diff(created) < 0):
            raise OutputError(out_of_order(JOBS))
        return cls(
            job_ids=ids,
            created=created,
            parts={name: _part(name, rows, ids) for name, rows in tables.items()},
        )

    def __len__(self) -> int:
        return len(self.job_ids)

    def job_bytes(self) -> Int64s:
        """Return the bytes that the rows of each job take in memory, or nearly so."""
        sizes = np.zeros(len(self), np.int64)
        for part in self.parts.values():
            upto = np.zeros(part.rows.num_rows + 1, np.int64)
            np.cumsum(_row_bytes(part.rows), out=upto[1:])
            sizes += np.diff(upto[part.ends])
        return sizes

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The rows as tables in their exact schemas."""
        return {name: pa.Table.from_batches([part.rows], arrow_schema(name)) for name, part in self.parts.items()}

    def place(self, job: int) -> Place:
        """Return where a job stands, by its number in the stretch."""
        return int(self.created[job]), self.job_ids[job].as_py()

    def cut(self, first: int, last: int) -> Stretch:
        """Return the jobs from number `first` up to `last`."""
        if (first, last) == (0, len(self)):
            return self
        return Stretch(
            job_ids=self.job_ids.slice(first, last - first),
            created=self.created[first:last],
            parts={name: part.cut(first, last) for name, part in self.parts.items()},
        )

    def pick(self, wanted: Bools) -> Stretch:
        """Return some jobs; one element a job."""
        if wanted.all():
            return self
        return Stretch(
            job_ids=self.job_ids.filter(pa.array(wanted)),
            created=self.created[wanted],
            parts={name: part.pick(wanted) for name, part in self.parts.items()},
        )

    def count_through(self, place: Place) -> int:
        """Return how many jobs stand up to a place, that one included."""
        created, job_id = place
        first, last = (int(np.searchsorted(self.created, created, side=side)) for side in ("left", "right"))
        while first < last:  # among those created in one microsecond
            middle = (first + last) // 2
            if self.job_ids[middle].as_py() <= job_id:
                first = middle + 1
            else:
                last = middle
        return first


def month_order(month: str | None) -> tuple[bool, str]:
    """Return what months are sorted by; None is that of undated jobs."""
    return month is None, month or ""


def creation(column: pa.Array | pa.ChunkedArray) -> Int64s:
    """Return times of creation as they count in the order."""
    whole: Int64s = column.cast(pa.int64()).fill_null(UNDATED).to_numpy()
    return whole


def merged(stretches: Sequence[Stretch]) -> Stretch | None:
    """Merge stretches that have no job in common, but the same tables; None where there are none."""
    if len(stretches) <= 1:
        return stretches[0] if stretches else None
    ids = pa.concat_arrays([stretch.job_ids for stretch in stretches])
    created = np.concatenate([stretch.created for stretch in stretches])
    table = pa.table({"created": created, "job_id": ids})
    keys = [("created", "ascending"), ("job_id", "ascending")]
    order = pc.sort_indices(table, sort_keys=keys).to_numpy()
    return Stretch(
        job_ids=ids.take(pa.array(order)),
        created=created[order],
        parts={
            name: _merged_parts([stretch.parts[name] for stretch in stretches], order) for name in stretches[0].parts
        },
    )


def _merged_parts(parts: Sequence[Part], order: Int64s) -> Part:
    counts = np.concatenate([part.counts for part in parts])
    starts = (np.cumsum(counts) - counts)[order]
    counts = counts[order]
    ends = _ends(counts)
    rows = pa.concat_batches([part.rows for part in parts])
    places = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
    return Part(rows=rows.take(pa.array(places)), ends=ends)


def _part(name: str, rows: pa.RecordBatch, ids: pa.Array) -> Part:
    if name == JOBS:
        return Part(rows=rows, ends=np.arange(len(ids) + 1))
    found = pc.index_in(rows.column("job_id"), value_set=ids)
    jobs = found.to_numpy(zero_copy_only=False)
    if found.null_count or np.any(jobs[1:] < jobs[:-1]):
        raise OutputError(out_of_order(name))
    return Part(rows=rows, ends=np.searchsorted(jobs, np.arange(len(ids) + 1)))


def _row_bytes(rows: pa.RecordBatch) -> Int64s:
    if not rows.num_rows:
        return np.empty(0, np.int64)
    texts = [column for column in rows.columns if pa.types.is_string(column.type)]
    fixed = sum(0 if pa.types.is_string(column.type) else column.nbytes for column in rows.columns)
    sizes = np.full(rows.num_rows, fixed // max(rows.num_rows, 1) + _OFFSET_BYTES * len(texts), np.int64)
    for column in texts:
        _, offsets, _ = column.buffers()
        ends = np.frombuffer(offsets, np.int32, count=len(column) + 1, offset=_OFFSET_BYTES * column.offset)
        sizes += np.diff(ends)
    return sizes


def _ends(counts: Int64s) -> Int64s:
    ends = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    return ends


def out_of_order(name: str) -> str:
    """Say that a table's rows cannot be merged."""
    return f"{name}: rows are not in the order of the dataset; see `etl verify`"


def no_rows(name: str) -> pa.RecordBatch:
    """Return a table's columns without rows."""
    return one_batch(arrow_schema(name).empty_table())


def one_batch(rows: pa.Table) -> pa.RecordBatch:
    """Return the rows of a table in one piece."""
    arrays = [column.combine_chunks() for column in rows.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)
