"""The rows of the jobs that are wanted, month by month, out of one published state."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl.load.layout import Layout
from etl.load.parquet import read_chunks
from etl.load.reader import published_snapshot
from etl.load.runs import PrivateRecordsError, rechecks
from etl.load.stretch import month_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from etl.extract.filters import JobFilters
    from etl.load.manifest import SnapshotManifest

_FILTERED = {"connector_id": "connector_ids", "job_type": "job_types", "status": "statuses"}
"""Column of sync_jobs → the filter that names its wanted values."""


class ChosenJobs:
    """The wanted jobs of the state that is published when this is made, whatever is published later.

    Args:
        root: folder of the dataset.
        filters: which jobs are wanted.

    Raises:
        OutputError: there is no dataset, or it cannot be read.
    """

    def __init__(self, root: Path, filters: JobFilters) -> None:
        snapshot = published_snapshot(root)
        self._root = root
        self._snapshot = snapshot
        self._condition = _condition(filters)

    @property
    def manifest(self) -> SnapshotManifest:
        """What the state says of itself."""
        return self._snapshot.manifest

    def rows(self, name: str) -> int:
        """Return the rows of a table, wanted or not."""
        return self._snapshot.rows(name)

    def months(self) -> list[str | None]:
        """Return the months that jobs were created in, in order; None, that of undated jobs, comes last."""
        return sorted(self._snapshot.months(), key=month_order)

    def months_undated_first(self) -> list[str | None]:
        """Return the months in the order in which a later job counts as newer: undated jobs are older than all."""
        return sorted(self._snapshot.months(), key=lambda month: month or "")

    def chunks(
        self, name: str, month: str | None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pa.Table, int]]:
        """Read the wanted rows of a month in bounded chunks, in the order of the dataset.

        Memory holds a chunk, and the ids of the month's wanted jobs where not all are.

        Args:
            name: of the table.
            month: one of `months()`.
            columns: those wanted, None for all.

        Yields:
            Wanted rows, and the number of rows that were read for them.

        Raises:
            OutputError: a file cannot be read.
        """
        files = self._snapshot.month_files(name, month)
        jobs = self._wanted(month) if files else None
        needed = columns if columns is None or jobs is None else tuple(dict.fromkeys([*columns, "job_id"]))
        for path in files:
            for chunk in read_chunks(path, name, columns=needed):
                kept = chunk if jobs is None else chunk.filter(pc.is_in(chunk["job_id"], value_set=jobs))
                yield kept if columns is None else kept.select(list(columns)), chunk.num_rows

    def looked_at(self, jobs: pa.Array) -> dict[str, datetime]:
        """Return when jobs were last fetched again and found unchanged, as far as records of runs tell (UTC).

        To an account that may not read these they tell nothing.

        Args:
            jobs: their ids; those that are not in the answer were not looked at since `fetched_at`.

        Raises:
            OutputError: the records cannot be read, though this account may.
        """
        latest: dict[str, datetime] = {}
        try:
            for looks in rechecks(Layout(self._root), self.manifest.origin.source) if len(jobs) else ():
                for row in looks.filter(pc.is_in(looks["id"], value_set=jobs)).to_pylist():
                    latest[row["id"]] = max(row["fetched_at"], latest.get(row["id"], row["fetched_at"]))
        except PrivateRecordsError:
            return {}
        return latest

    def _wanted(self, month: str | None) -> pa.Array | None:
        """Return the ids of a month's wanted jobs; None where all are."""
        if self._condition is None:
            return None
        wanted = [pa.array([], pa.string())]
        for path in self._snapshot.month_files("sync_jobs", month):
            for chunk in read_chunks(path, "sync_jobs", columns=("job_id", "created_at", *_FILTERED)):
                wanted += chunk.filter(self._condition)["job_id"].chunks
        return pa.concat_arrays(wanted)


def _condition(filters: JobFilters) -> pc.Expression | None:
    """Return what a row of sync_jobs must fulfil, None for nothing; a value that is missing fulfils no condition."""
    conditions = [
        pc.field(column).isin(list(values)) for column, name in _FILTERED.items() if (values := getattr(filters, name))
    ]
    if filters.since is not None:
        conditions.append(pc.field("created_at") >= _moment(filters.since))
    if filters.until is not None:
        conditions.append(pc.field("created_at") < _moment(filters.until))
    return reduce(and_, conditions) if conditions else None


def _moment(at: datetime) -> pa.Scalar:
    return pa.scalar(at.astimezone(UTC), pa.timestamp("us", tz="UTC"))
