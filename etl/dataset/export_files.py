"""The files of an export: their forms, and the places that they are written to."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError, UsageError
from etl.load import csv_form, parquet
from etl.load.csv_form import TIME_FORMAT, write_csv
from etl.load.layout import TMP
from etl.load.parquet import ParquetFile, WrittenTable
from etl.load.place import in_store
from etl.load.steps import Step
from etl.load.storage import NewFile, Storage
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

JSONL = "jsonl"
FORMATS = (csv_form.FORMAT, parquet.FORMAT, JSONL)
"""Forms of hand-over files; also the endings of their names."""

_LINES = 4_096  # rows that are Python values at once


def write_table(
    form: str, storage: Storage, path: Path, name: str, chunks: Iterable[pa.Table], *, csv_raw: bool
) -> WrittenTable:
    """Write the rows of a table as one file.

    Args:
        form: one of FORMATS.
        storage: makes the file.
        path: of the file.
        name: of the table.
        chunks: its rows in order, in the table's schema.
        csv_raw: see `write_csv`.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    if form == csv_form.FORMAT:
        return write_csv(storage, path, name, chunks, raw=csv_raw)
    if form == JSONL:
        return _write_json_lines(storage, path, name, chunks)
    with ParquetFile(storage, path, arrow_schema(name)) as file:
        for chunk in chunks:
            file.write(chunk)
        return file.close()


def _write_json_lines(storage: Storage, path: Path, name: str, chunks: Iterable[pa.Table]) -> WrittenTable:
    """Write one object a row, all columns in their order; times in ISO 8601 with `Z`, lists as arrays, JSON as text."""
    columns = arrow_schema(name).names
    encoder = msgspec.json.Encoder()
    rows = 0
    with storage.create(path) as file:
        for chunk in chunks:
            for batch in chunk.to_batches(max_chunksize=_LINES):
                cells = [_json_values(column).to_pylist() for column in batch.columns]
                file.write(
                    encoder.encode_lines([dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)])
                )
                rows += batch.num_rows
        file.close()
        written = file.written
    return WrittenTable(rows=rows, bytes=written.bytes, sha256=written.sha256)


def _json_values(column: pa.Array) -> pa.Array:
    return pc.strftime(column, format=TIME_FORMAT) if pa.types.is_timestamp(column.type) else column


class _HandOver(Storage):
    """Storage outside of the dataset: what is refused there has other remedies."""

    elsewhere = "name another folder"
    after_full = ", or name another folder"


class Folder:
    """A folder for the files of an export. It is made where it is missing; a file in it is complete, or not there.

    Args:
        path: of the folder.
        dataset: the folder of the dataset, which it must not be in.
        overwrite: whether files may take the place of others.
    """

    def __init__(self, path: Path, *, dataset: Path, overwrite: bool) -> None:
        self._path = path.absolute()
        self._dataset = dataset
        self._overwrite = overwrite
        self._storage = _HandOver(self._path)

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._path)

    def name_of(self, file: str) -> str:
        """Return the path of a file in it."""
        return str(self._path / file)

    def open(self, files: Sequence[str]) -> None:
        """Get ready for files of these names.

        Raises:
            UsageError: files of these names stand there already, or it is no folder to write to.
            OutputError: it cannot be made.
        """
        with self._storage.step(Step.MAKE_FOLDER, self._path):
            self._check(files)
        self._storage.make_folder(self._path)

    def _check(self, files: Sequence[str]) -> None:
        if in_store(self._dataset) is None and self._path.resolve().is_relative_to(self._dataset.resolve()):
            msg = f"{self._path}: lies in the dataset {self._dataset}; name a folder outside of it"
            raise UsageError(msg)
        if self._path.exists() and not self._path.is_dir():
            msg = f"{self._path}: is a file; name a folder: an export has one file a table"
            raise UsageError(msg)
        there = [file for file in files if (self._path / file).exists()]
        if there and not self._overwrite:
            msg = f"{self._path}: holds {', '.join(there)} already; name another folder, or give --overwrite"
            raise UsageError(msg)

    @contextmanager
    def create(self, file: str) -> Iterator[tuple[Storage, Path]]:
        """Give a place for a file, under a name that nobody else uses until it is complete.

        Raises:
            OutputError: it cannot be renamed.
        """
        final = self._path / file
        fresh = final.with_name(f".{file}.{secrets.token_hex(4)}{TMP}")
        try:
            yield self._storage, fresh
            with self._storage.step(Step.REPLACE, fresh, final):
                fresh.replace(final)
            self._storage.sync_folder(self._path)
        finally:
            fresh.unlink(missing_ok=True)


class Stream:
    """A stream, such as standard output, for one file."""

    name = "-"

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def name_of(self, _: str) -> str:
        """Return its own name."""
        return self.name

    def open(self, files: Sequence[str]) -> None:
        """Get ready for one file.

        Raises:
            UsageError: there are several.
        """
        if len(files) != 1:
            msg = f"standard output takes one table, not {len(files)}: choose it with --table"
            raise UsageError(msg)

    @contextmanager
    def create(self, file: str) -> Iterator[tuple[Storage, Path]]:
        """Give the place."""
        yield _StreamStorage(self._stream), Path(file)


class _StreamStorage(Storage):
    """Stands for a folder whose only file is a stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(Path())
        self._stream = stream

    def create(self, path: Path, *, private: bool = False) -> NewFile:  # noqa: ARG002 - as for a folder
        """Open the stream as a file."""
        return _StreamFile(self, path, self._stream)


class _StreamFile(NewFile):
    """A stream that is written as a new file is; it is flushed in the end and left open."""

    def __init__(self, storage: Storage, path: Path, stream: IO[bytes]) -> None:
        super().__init__(storage, path, descriptor=-1)
        self._stream = stream

    def close(self) -> None:
        """Write what is buffered.

        Raises:
            BrokenPipeError: nobody reads any more.
            OutputError: it cannot be written for another reason.
        """
        if not self.closed:
            self._drain()
            self.abandon()

    def abandon(self) -> None:
        """Take no more."""
        self.closed = True

    def _drain(self) -> None:
        try:
            self._stream.write(bytes(self._buffer))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            msg = f"standard output: cannot be written: {error.strerror or error}"
            raise OutputError(msg) from error
        self._buffer.clear()


Destination: TypeAlias = Folder | Stream
"""Where an export goes."""
