"""A table's rows as a stream of chunks that know their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.check.findings import Kind, Scope, one_line
from etl.errors import OutputError
from etl.load.parquet import read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from etl.load.manifest import FileEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some rows.

    Attributes:
        path: of their file.
        rows: in the table's schema, or the wanted columns of it.
    """

    path: Path
    rows: pa.Table

    @property
    def ids(self) -> pa.Array:
        """The ids of the rows' jobs; empty for null, which no id is."""
        return self.rows["job_id"].combine_chunks().fill_null("")


class Stream:
    """The rows of some files of a table, one file after the other, a bounded chunk at a time.

    Attributes:
        name: of the table.
        broken: whether a file could not be read to its end; that is then a finding.
    """

    def __init__(self, scope: Scope, name: str, entries: Sequence[FileEntry]) -> None:
        self._scope = scope
        self._entries = entries
        self.name = name
        self.broken = False

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[Part]:
        """Yield the rows."""
        for entry in self._entries:
            path = self._scope.folder / entry.path
            try:
                for rows in read_chunks(path, self.name, columns=columns):
                    yield Part(path=path, rows=rows)
            except OutputError as error:
                self._scope.tell(Kind.UNREADABLE, path, f"cannot be read: {one_line(error.__cause__ or error)}")
                self.broken = True

    def at(self, position: int, columns: Sequence[str]) -> tuple[Path, dict[str, Any]] | None:
        """Return the file of a row, and cells of it; None where the stream ends before, since a file is gone.

        Args:
            position: of the row in the stream, from 0.
            columns: those wanted.
        """
        first = 0
        for part in self.parts(columns):
            if position < first + part.rows.num_rows:
                (row,) = part.rows.slice(position - first, 1).to_pylist()
                return part.path, row
            first += part.rows.num_rows
        return None


def told(row: dict[str, Any]) -> str:
    """Name a row by its key.

    >>> told({"job_id": "007", "rule_index": 2})
    "job_id '007', rule_index 2"
    """
    return ", ".join(f"{name} {value!r}" for name, value in row.items())
