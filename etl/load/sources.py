"""Where rows come from: a snapshot, or a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.grouping import EVER, Span
from etl.load.merge import Mark, Source
from etl.load.parquet import read_chunks
from etl.load.stretch import JOBS, Stretch, creation, month_order, no_rows, one_batch, out_of_order
from etl.load.stretch_files import read_stretches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from etl.load.keys import Bools
    from etl.load.manifest import StretchEntry
    from etl.load.reader import Snapshot
    from etl.load.staging import Batch
    from etl.load.stretch import Place

Wanted: TypeAlias = Callable[[pa.Table], "Bools"]
"""Takes rows of sync_jobs, in order, and tells which of these jobs are wanted."""

SNAPSHOT_JOBS = 1_024
"""Jobs of a snapshot that are read at once."""

_PLACE = ("job_id", "created_at")
_CHUNK_ROWS = 16_384
_IN_MEMORY = 10  # bytes in memory to one in a file, or somewhat less
_LEAST_JOB_BYTES = 2_048


def batch_source(batch: Batch, wanted: Bools, span: Span = EVER) -> Source | None:
    """Return a source of some jobs of a batch; None where there are none.

    Args:
        batch: of one run.
        wanted: for each row of its sync_jobs.
        span: in which the jobs were created.
    """
    stretches: list[StretchEntry] = []
    masks: list[Bools] = []
    marks: list[Mark] = []
    first = 0
    for entry in batch.manifest.stretches:
        mask = wanted[first : first + entry.jobs]
        first += entry.jobs
        count = int(np.count_nonzero(mask))
        begin, end = entry.first.place, entry.last.place
        if not count or not span.meets(begin[0], end[0]):
            continue
        stretches.append(entry)
        masks.append(mask)
        marks.append(Mark(first=begin, last=end, bytes=entry.bytes * count // entry.jobs))
    if not marks:
        return None
    read = _StagedRows(batch.folder, tuple(stretches), np.concatenate(masks), span)
    return Source(marks=tuple(marks), read=read)


@dataclass(frozen=True, slots=True, eq=False)
class _StagedRows:
    """Reads some jobs of stretches on disk; see `batch_source`."""

    folder: Path
    stretches: tuple[StretchEntry, ...]
    wanted: Bools
    span: Span

    def __call__(self, names: Sequence[str]) -> Iterator[Stretch]:
        for stretch in read_stretches(self.folder, self.stretches, names, self.wanted):
            first, end = self.span.within(stretch.created)
            if first < end:
                yield stretch.cut(first, end)


def snapshot_source(
    snapshot: Snapshot, months: Sequence[str | None], wanted: Wanted, columns: Sequence[str] = _PLACE
) -> Source | None:
    """Return a source of some jobs of a snapshot; None where there are none.

    Args:
        snapshot: that is read.
        months: whose jobs are looked at.
        wanted: is asked about each of these jobs, here and now.
        columns: that it looks at, job_id and created_at among them.

    Raises:
        OutputError: a file cannot be read.
    """
    ordered = sorted(months, key=month_order)
    masks: list[Bools] = []
    marks: list[Mark] = []
    for month in ordered:
        job_bytes = _job_bytes(snapshot, month)
        for path in snapshot.month_files(JOBS, month):
            for chunk in read_chunks(path, JOBS, columns=columns):
                mask = wanted(chunk)
                masks.append(mask)
                at = np.flatnonzero(mask)
                if not at.size:
                    continue
                places = _places(chunk, [int(at[0]), *at[SNAPSHOT_JOBS - 1 :: SNAPSHOT_JOBS].tolist(), int(at[-1])])
                size = min(SNAPSHOT_JOBS, at.size) * job_bytes
                marks += [Mark(first=first, last=last, bytes=size) for first, last in pairwise(places)]
    if not marks:
        return None
    mask = np.concatenate(masks)
    return Source(marks=tuple(marks), read=_PublishedRows(snapshot, tuple(ordered), mask))


def _places(chunk: pa.Table, rows: Sequence[int]) -> list[Place]:
    picked = chunk.select(_PLACE).take(pa.array(rows))
    return list(zip(creation(picked["created_at"]).tolist(), picked["job_id"].to_pylist(), strict=True))


def _job_bytes(snapshot: Snapshot, month: str | None) -> int:
    """Guess the bytes in memory of a job with all its rows."""
    entries = [entry for name in snapshot.manifest.tables for entry in snapshot.entries(name) if entry.month == month]
    jobs = sum(entry.rows for entry in entries if entry.path.startswith(f"{JOBS}/"))
    return max(_LEAST_JOB_BYTES, sum(entry.bytes for entry in entries) * _IN_MEMORY // max(jobs, 1))


@dataclass(frozen=True, slots=True, eq=False)
class _PublishedRows:
    """Reads some jobs of months of a snapshot; see `snapshot_source`."""

    snapshot: Snapshot
    months: tuple[str | None, ...]
    wanted: Bools

    def __call__(self, names: Sequence[str]) -> Iterator[Stretch]:
        first = 0
        for month in self.months:
            children = {name: _Rows(name, _month_rows(self.snapshot, name, month)) for name in names if name != JOBS}
            for jobs in _month_rows(self.snapshot, JOBS, month):
                mask = self.wanted[first : first + jobs.num_rows]
                first += jobs.num_rows
                ids = jobs.column("job_id")
                rows = {JOBS: jobs} | {name: child.take(ids) for name, child in children.items()}
                if mask.any():
                    yield Stretch.of(rows).pick(mask)
            for child in children.values():
                child.check_ended()


def _month_rows(snapshot: Snapshot, name: str, month: str | None) -> Iterator[pa.RecordBatch]:
    for path in snapshot.month_files(name, month):
        for chunk in read_chunks(path, name, rows=SNAPSHOT_JOBS if name == JOBS else _CHUNK_ROWS):
            yield one_batch(chunk)


class _Rows:
    """The rows of a table of one month, of which those of some jobs are taken after the other."""

    def __init__(self, name: str, chunks: Iterator[pa.RecordBatch]) -> None:
        self._name = name
        self._chunks = chunks
        self._rest: pa.RecordBatch | None = None

    def take(self, ids: pa.Array) -> pa.RecordBatch:
        """Take the rows of the next jobs."""
        parts: list[pa.RecordBatch] = []
        while (rest := self._next()) is not None:
            strange = np.flatnonzero(~pc.is_in(rest.column("job_id"), value_set=ids).to_numpy(zero_copy_only=False))
            count = int(strange[0]) if strange.size else rest.num_rows
            parts.append(rest.slice(0, count))
            self._rest = rest.slice(count)
            if strange.size:
                break
        return pa.concat_batches(parts) if parts else no_rows(self._name)

    def check_ended(self) -> None:
        """Check that no row is left: it would belong to no job, or stand out of order."""
        if self._next() is not None:
            raise OutputError(out_of_order(self._name))

    def _next(self) -> pa.RecordBatch | None:
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._chunks, None)
            if self._rest is None:
                return None
        return self._rest
