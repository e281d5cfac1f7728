"""The files of a table in a new snapshot: month after month, each in as many files as it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from etl.load.manifest import FileEntry
from etl.load.parquet import FORMAT, ParquetFile
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from etl.load.storage import Storage


class TableFiles:
    """Takes a table's rows in the order of the dataset.

    Args:
        storage: of the dataset.
        folder: of the snapshot.
        name: of the table.
        run_id: of the run; part of the names of the files.
        file_rows: most rows of a file.
    """

    def __init__(self, storage: Storage, folder: Path, name: str, *, run_id: str, file_rows: int) -> None:
        self._storage = storage
        self._folder = folder
        self._name = name
        self._run_id = run_id
        self._file_rows = file_rows
        self._month: str | None = None
        self._number = 0
        self._path = ""
        self._file: ParquetFile | None = None
        self._entries: list[FileEntry] = []

    def write(self, month: str | None, rows: pa.Table) -> None:
        """Take rows of a month; one that has ended never comes again.

        Raises:
            OutputError: the disk is full, or refuses.
        """
        if month != self._month:
            self._end_file()
            self._month, self._number = month, 0
        while rows.num_rows:
            file = self._file or self._new_file()
            part = rows.slice(0, self._file_rows - file.rows)
            file.write(part)
            rows = rows.slice(part.num_rows)
            if file.rows == self._file_rows:
                self._end_file()

    def close(self) -> list[FileEntry]:
        """Finish the last file, and return all of them.

        Raises:
            OutputError: the disk is full, or refuses.
        """
        self._end_file()
        return self._entries

    def _new_file(self) -> ParquetFile:
        self._path = f"{self._name}/{self._month or 'undated'}_{self._run_id}_{self._number}.{FORMAT}"
        self._number += 1
        self._file = ParquetFile(self._storage, self._folder / self._path, arrow_schema(self._name))
        return self._file

    def _end_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                done = file.close()
            self._entries.append(
                FileEntry(path=self._path, month=self._month, rows=done.rows, bytes=done.bytes, sha256=done.sha256)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.abandon()
