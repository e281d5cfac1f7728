"""A CSV file against the Parquet files that it was made of: header, number of rows, every key in its place."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from etl.check.findings import Kind, Scope, one_line
from etl.check.stream import Stream, told
from etl.load.place import for_arrow
from etl.schema.arrow import arrow_schema, table_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from etl.load.manifest import FileEntry
    from etl.schema.declare import Table

_BLOCK_BYTES = (1 << 20, 32 << 20, 1 << 30)  # a row must fit into a block; the larger ones are for long cells
_HEADER_BYTES = 1 << 16
_SHOWN = 200


def check_csv(scope: Scope, name: str, entry: FileEntry, rows: Stream, *, current: bool) -> None:
    """Check one CSV file.

    Args:
        scope: the snapshot.
        name: of the table.
        entry: of the file.
        rows: of the table's Parquet files, all of them readable, in the order of the manifest.
        current: whether it was written under the schema of this version; else it may lack columns.
    """
    path, table = scope.folder / entry.path, table_named(name)
    for size in _BLOCK_BYTES:
        try:
            problem = _wrong_header(path, table, current=current) or _first_difference(path, table, rows, size)
        except (OSError, pa.ArrowException) as error:
            if size == _BLOCK_BYTES[-1]:
                scope.tell(Kind.CSV, path, f"cannot be read as CSV: {one_line(error)}")
            continue
        if problem is not None and not rows.broken:
            scope.tell(Kind.CSV, path, problem)
        return


def _wrong_header(path: Path, table: Table, *, current: bool) -> str | None:
    with path.open("rb") as file:
        line = file.readline(_HEADER_BYTES).decode("utf-8", "replace")
    header = next(csv.reader([line.rstrip("\n")]), [])
    expected = [column.name for column in table.columns if current or column.name in header]
    if header == expected and set(table.key) <= set(header):
        return None
    return f"has the header {', '.join(header)[:_SHOWN]!r}, not that of {table.name}"


def _first_difference(path: Path, table: Table, rows: Stream, block_bytes: int) -> str | None:
    """Return what is wrong first; None where nothing is."""
    exact, written = _Pieces(part.rows for part in rows.parts(table.key)), _Pieces(_csv_keys(path, table, block_bytes))
    row = 0
    while size := min(exact.fill(), written.fill()):
        left, right = exact.take(size), written.take(size)
        for column in table.key:
            same = pc.fill_null(pc.equal(left[column], right[column]), fill_value=False)
            at = pc.index(same, value=False).as_py()
            if at >= 0:
                (one,), (other,) = (side.slice(at, 1).to_pylist() for side in (left, right))
                return f"row {row + at + 1:,} has the key {told(other)}, where the Parquet file has {told(one)}"
        row += size
    more, fewer = written.count_rest(), exact.count_rest()
    if more or fewer:
        return f"has {row + more:,} rows, where the Parquet files have {row + fewer:,}"
    return None


def _csv_keys(path: Path, table: Table, block_bytes: int) -> Iterator[pa.Table]:
    types = {name: arrow_schema(table.name).field(name).type for name in table.key}
    reader = pacsv.open_csv(
        for_arrow(path),
        read_options=pacsv.ReadOptions(block_size=block_bytes),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(table.key), column_types=types, strings_can_be_null=False
        ),
    )
    with reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


class _Pieces:
    """Chunks of one stream, to be taken in pieces as another stream needs them."""

    def __init__(self, chunks: Iterator[pa.Table]) -> None:
        self._chunks = iter(chunks)
        self._rest: pa.Table | None = None

    def fill(self) -> int:
        """Return how many rows can be taken, 0 at the end."""
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._chunks, None)
            if self._rest is None:
                return 0
        return int(self._rest.num_rows)

    def take(self, size: int) -> pa.Table:
        """Take as many rows, which `fill` said there are."""
        if self._rest is None:
            raise IndexError(size)
        piece, self._rest = self._rest.slice(0, size), self._rest.slice(size)
        return piece

    def count_rest(self) -> int:
        """Return how many rows are left, and take them."""
        rows = 0
        while size := self.fill():
            self.take(size)
            rows += size
        return rows
