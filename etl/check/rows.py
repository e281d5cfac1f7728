"""The rows of a snapshot, month by month: each by itself, their order, their keys, and what they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl.check.cells import check_cells, tell_positions, tell_rows
from etl.check.children import DISORDER, TWICE, MonthRows, check_children
from etl.check.findings import Kind, Scope
from etl.check.jobs import Filterings, MonthJobs
from etl.check.order import Order, joined, repeated
from etl.check.stream import Stream
from etl.load.keys import Keys
from etl.load.stretch import month_order
from etl.schema.tables import FILTERING, SYNC_JOBS, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etl.load.manifest import FileEntry
    from etl.schema.declare import Table


class RowsCheck:
    """Checks the rows of one snapshot.

    Args:
        scope: the snapshot.
        entries: per table its readable Parquet files, in the order of the manifest.
        partial: (table, month) of which a file is damaged: what refers to rows of these is not checked.
    """

    def __init__(
        self, scope: Scope, entries: Mapping[str, Sequence[FileEntry]], partial: set[tuple[str, str | None]]
    ) -> None:
        self._scope = scope
        self._partial = partial
        self._months = sorted({file.month for files in entries.values() for file in files}, key=month_order)
        self._entries = {
            name: sorted(files, key=lambda file: month_order(file.month)) for name, files in entries.items()
        }

    def run(self) -> None:
        """Check everything; memory grows by 16 bytes a job, and for a while with the jobs of one month."""
        keys = [self._check_month(month) for month in self._months]
        # Job ids are unique over all months, so only now can be told whether one stands twice.
        jobs = Stream(self._scope, SYNC_JOBS.name, self._entries.get(SYNC_JOBS.name, ()))
        tell_positions(self._scope, Kind.DUPLICATE, SYNC_JOBS, jobs, repeated(joined(keys)), TWICE)

    def _check_month(self, month: str | None) -> Keys:
        """Check a month; return the keys of its jobs in the order of their rows."""
        keys, whole = self._check_jobs(month)
        jobs = MonthJobs.of(keys) if whole else None
        filterings = Filterings() if (FILTERING.name, month) not in self._partial else None
        for table in TABLES:
            if table is SYNC_JOBS:
                continue
            rows = MonthRows(
                table=table,
                month=month,
                stream=self._stream(table, month),
                jobs=jobs,
                filterings=filterings,
                whole=(table.name, month) not in self._partial,
            )
            check_children(self._scope, rows, self._stream(SYNC_JOBS, month))
            if table is FILTERING and rows.stream.broken:
                filterings = None
        return keys

    def _check_jobs(self, month: str | None) -> tuple[Keys, bool]:
        """Check the rows of sync_jobs; return their keys, and whether all could be read."""
        stream, order = self._stream(SYNC_JOBS, month), Order()
        keys: list[Keys] = []
        for part in stream.parts():
            check_cells(self._scope, SYNC_JOBS.name, part, month)
            created = part.rows["created_at"].combine_chunks().cast(pa.int64()).fill_null(np.iinfo(np.int64).max)
            before, _ = order.follow([created, part.ids])
            tell_rows(self._scope, Kind.ORDER, SYNC_JOBS, part, pa.array(before), DISORDER)
            keys.append(Keys.of(part.ids.to_pylist()))
        return joined(keys), not stream.broken and (SYNC_JOBS.name, month) not in self._partial

    def _stream(self, table: Table, month: str | None) -> Stream:
        files = self._entries.get(table.name, ())
        return Stream(self._scope, table.name, [file for file in files if file.month == month])
