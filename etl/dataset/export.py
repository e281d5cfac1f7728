"""Hand-over files: one file a table out of a published state, for the jobs that are wanted, as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.dataset.chosen import ChosenJobs
from etl.dataset.export_files import write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from etl.dataset.export_files import Destination
    from etl.extract.filters import JobFilters


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
    """An export of the state that is published when this is made; for arguments and errors see `ChosenJobs`."""

    def __init__(self, root: Path, filters: JobFilters) -> None:
        self._jobs = ChosenJobs(root, filters)

    def rows(self, tables: Sequence[str]) -> int:
        """Return the rows that these tables have, wanted or not."""
        return sum(self._jobs.rows(name) for name in tables)

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
            snapshot=self._jobs.manifest.run_id,
            source=self._jobs.manifest.origin.source,
            destination=destination.name,
            format=form,
            tables=exported,
        )

    def _chunks(self, name: str, advance: Callable[[int], None]) -> Iterator[pa.Table]:
        """Read the wanted rows of a table, in the order of the dataset."""
        for month in self._jobs.months():
            for chunk, rows in self._jobs.chunks(name, month):
                yield chunk
                advance(rows)
