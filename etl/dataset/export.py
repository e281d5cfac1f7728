"""Hand-over files: one file a table out of a published state, for the jobs that are wanted, as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.dataset.export_files import write_table
from etl.errors import OutputError
from etl.load.parquet import read_chunks
from etl.load.reader import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from etl.dataset.export_files import Destination
    from etl.extract.filters import JobFilters

_FILTERED = {"connector_id": "connector_ids", "job_type": "job_types", "status": "statuses"}
"""Column of sync_jobs → the filter that names its wanted values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedTable:
    """One hand-over file: its name, its rows and its bytes."""

    file: str
    rows: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What was handed over.

    Attributes:
        snapshot: run id of the state that it was taken from.
        source: the cluster.
        destination: the folder, absolute; `-` for standard output.
        format: of the files.
        tables: by name.
    """

    snapshot: str
    source: str
    destination: str
    format: str
    tables: Mapping[str, ExportedTable]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "snapshot": self.snapshot,
            "source": self.source,
            "destination": self.destination,
            "format": self.format,
            "tables": {
                name: {"file": table.file, "rows": table.rows, "bytes": table.bytes}
                for name, table in self.tables.items()
            },
        }


class Export:
    """An export of the state that is published when it is opened."""

    def __init__(self, root: Path, filters: JobFilters) -> None:
        """Open a dataset.

        Args:
            root: its folder.
            filters: which jobs are wanted.

        Raises:
            OutputError: there is no dataset, or it cannot be read.
        """
        snapshot = open_snapshot(root)
        if snapshot is None:
            msg = f"{root}: no dataset is published here; make one with `etl run` or, to try, `etl demo`"
            raise OutputError(msg)
        self._snapshot = snapshot
        self._filters = filters

    def rows(self, tables: Sequence[str]) -> int:
        """Return the rows that these tables have, wanted or not."""
        return sum(self._snapshot.rows(name) for name in tables)

    def write(
        self,
        destination: Destination,
        tables: Sequence[str],
        form: str,
        *,
        csv_raw: bool,
        advance: Callable[[int], None],
    ) -> Exported:
        """Write one file for each table; memory holds the ids of one month, and a few thousand rows.

        Args:
            destination: where to.
            tables: by name, each once.
            form: one of FORMATS.
            csv_raw: see `etl.load.csv_form.write_csv`.
            advance: told of rows that are done, wanted or not.

        Raises:
            UsageError: a file stands there already.
            OutputError: a file cannot be read or written.
        """
        names = {name: f"{name}.{form}" for name in tables}
        destination.open(list(names.values()))
        exported = {}
        for name, file in names.items():
            chunks = self._chunks(name, advance)
            with destination.create(file) as (storage, path):
                written = write_table(form, storage, path, name, chunks, csv_raw=csv_raw)
            exported[name] = ExportedTable(file=destination.name_of(file), rows=written.rows, bytes=written.bytes)
        return Exported(
            snapshot=self._snapshot.run_id,
            source=self._snapshot.manifest.origin.source,
            destination=destination.name,
            format=form,
            tables=exported,
        )

    def _chunks(self, name: str, advance: Callable[[int], None]) -> Iterator[pa.Table]:
        """Read the wanted rows of a table, in the order of the dataset."""
        for month in sorted(self._snapshot.months(), key=lambda month: (month is None, month or "")):
            files = self._snapshot.month_files(name, month)
            jobs = self._wanted(month) if files else None
            for path in files:
                for chunk in read_chunks(path, name):
                    yield chunk if jobs is None else chunk.filter(pc.is_in(chunk["job_id"], value_set=jobs))
                    advance(chunk.num_rows)

    def _wanted(self, month: str | None) -> pa.Array | None:
        """Return the ids of a month's wanted jobs; None where all are."""
        condition = _condition(self._filters)
        if condition is None:
            return None
        wanted = [pa.array([], pa.string())]
        for path in self._snapshot.month_files("sync_jobs", month):
            for chunk in read_chunks(path, "sync_jobs", columns=("job_id", "created_at", *_FILTERED)):
                wanted += chunk.filter(condition)["job_id"].chunks
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
