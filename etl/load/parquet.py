"""The Parquet form of a table: written in exact schemas by row groups, read in bounded chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import OutputError
from etl.load.place import for_arrow
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from etl.load.storage import Storage

FORMAT = "parquet"

ROW_GROUP_ROWS = 16_384
_ROW_GROUP_BYTES = 4 << 20  # in memory; all tables of a month are written side by side
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenTable:
    """What the closed file of a table holds: rows, bytes, and the SHA-256 of its content in hex."""

    rows: int
    bytes: int
    sha256: str


class ParquetFile:
    """One Parquet file being written; closing it puts it on disk for good, an exception leaves it unfinished."""

    def __init__(self, storage: Storage, path: Path, schema: pa.Schema, *, private: bool = False) -> None:
        self._file = storage.create(path, private=private)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self.rows = 0
        try:
            self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        except BaseException:
            self._file.abandon()
            raise

    def write(self, table: pa.Table) -> None:
        """Take rows, which must be in the exact schema."""
        if table.num_rows == 0:
            return
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self._pending_bytes += table.nbytes
        self.rows += table.num_rows
        if self._pending_rows >= ROW_GROUP_ROWS or self._pending_bytes >= _ROW_GROUP_BYTES:
            self._end_row_group()

    def _end_row_group(self) -> None:
        """Write the rows taken so far, in row groups of their own."""
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=ROW_GROUP_ROWS)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def close(self) -> WrittenTable:
        """Finish the file and flush it to disk."""
        self._end_row_group()
        self._writer.close()
        self._file.close()
        written = self._file.written
        return WrittenTable(rows=self.rows, bytes=written.bytes, sha256=written.sha256)

    def abandon(self) -> None:
        """Leave the file unfinished; no more than a closed file's end where `close` was called."""
        self._file.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()


def read_chunks(
    path: Path,
    name: str,
    *,
    columns: Sequence[str] | None = None,
    rows: int = ROW_GROUP_ROWS,
) -> Iterator[pa.Table]:
    """Read rows of one file of the table `name`, a few at a time, in the current schema.

    Args:
        path: of the file.
        name: of the table.
        columns: those wanted, in this order; None for all.
        rows: at most in a chunk; fewer where rows are long.

    Yields:
        Tables in the table's Arrow schema (or the wanted columns of it). Columns that the file lacks, since it is
        older, are null.

    Raises:
        OutputError: the file cannot be read, or holds columns or types that this version does not know.
    """
    try:
        with pq.ParquetFile(for_arrow(path), pre_buffer=False) as file:
            wanted = schema_of(name, columns)
            found = file.schema_arrow
            _check(path, found, name)
            present = [column for column in wanted.names if column in found.names]
            batches = file.iter_batches(
                batch_size=_chunk_rows(file.metadata, rows),
                columns=present,
                use_threads=False,
            )
            for batch in batches:
                yield _conform(batch, wanted)
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read: {error}; see what else is damaged with `etl verify`"
        raise OutputError(msg) from error


def _chunk_rows(metadata: pq.FileMetaData, rows: int) -> int:
    size: int = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    row_bytes: int = size // max(metadata.num_rows, 1) + 1
    return max(1, min(rows, _CHUNK_BYTES // row_bytes))


def schema_of(name: str, columns: Sequence[str] | None) -> pa.Schema:
    """Return the schema of a table, or of some columns of it in their order; None for all."""
    schema = arrow_schema(name)
    return schema if columns is None else pa.schema([schema.field(column) for column in columns])


def _check(path: Path, found: pa.Schema, name: str) -> None:
    schema = arrow_schema(name)
    for field in found:
        if field.name not in schema.names or schema.field(field.name).type != field.type:
            msg = f"{path}: holds a column {field.name} ({field.type}) that this version does not know; upgrade etl"
            raise OutputError(msg)


def _conform(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.Table:
    found = set(batch.schema.names)
    arrays = [
        batch.column(field.name) if field.name in found else pa.nulls(batch.num_rows, field.type) for field in wanted
    ]
    return pa.Table.from_arrays(arrays, schema=wanted)
