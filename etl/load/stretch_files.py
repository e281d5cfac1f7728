"""Stretches on disk, for a while: an Arrow stream a table, in which every stretch is compressed by itself.

It takes a fraction of the time of a Parquet file to write and to read, and what is read is one piece of memory. To look
into one: `pyarrow.ipc.open_stream(pyarrow.input_stream(path, compression="lz4"))`.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from etl.errors import OutputError
from etl.load.manifest import JobPlace, Span, StretchEntry
from etl.load.place import read_span
from etl.load.stretch import Stretch, no_rows
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from etl.load.keys import Bools
    from etl.load.storage import Storage

FORMAT = "arrows.lz4"
"""The suffix of the files."""

_CODEC = "lz4"
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of a stream, by Arrow's format


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenStretches:
    """What stands in closed files.

    Attributes:
        stretches: in their order.
        rows: of each table that has some.
        bytes: of the file of each table that has some rows.
    """

    stretches: tuple[StretchEntry, ...]
    rows: dict[str, int]
    bytes: dict[str, int]


def write_stretches(storage: Storage, folder: Path, stretches: Iterable[Stretch]) -> WrittenStretches:
    """Write stretches into files of a folder, one for each table that has rows, and flush these to disk.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    entries: list[StretchEntry] = []
    with ExitStack() as stack:
        files: dict[str, _File] = {}
        for stretch in stretches:
            spans: dict[str, Span] = {}
            for name, part in stretch.parts.items():
                if part.rows.num_rows:
                    if name not in files:
                        files[name] = stack.enter_context(_File(storage, folder, name))
                    spans[name] = files[name].write(part.rows)
            entries.append(
                StretchEntry(
                    jobs=len(stretch),
                    bytes=int(stretch.job_bytes().sum()),
                    first=JobPlace.of(stretch.place(0)),
                    last=JobPlace.of(stretch.place(len(stretch) - 1)),
                    spans=spans,
                )
            )
        sizes = {name: file.close() for name, file in files.items()}
    rows = {name: file.rows for name, file in files.items()}
    return WrittenStretches(stretches=tuple(entries), rows=rows, bytes=sizes)


class _File:
    """The stream of one table."""

    def __init__(self, storage: Storage, folder: Path, name: str) -> None:
        self._file = storage.create(stretches_path(folder, name), private=True)
        self._file.write(_compressed(arrow_schema(name).remove_metadata().serialize()))
        self.rows = 0

    def write(self, rows: pa.RecordBatch) -> Span:
        message = rows.serialize()
        start = self._file.tell()
        self.rows += rows.num_rows
        return Span(start, self._file.write(_compressed(message)), message.size)

    def close(self) -> int:
        """Finish the file, flush it to disk, and return its size."""
        self._file.write(_compressed(_END))
        self._file.close()
        return self._file.written.bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.abandon()  # no more than a closed file's end where `close` was called


def read_stretches(
    folder: Path, stretches: Sequence[StretchEntry], names: Sequence[str], wanted: Bools | None = None
) -> Iterator[Stretch]:
    """Read stretches, one at a time.

    Args:
        folder: of the files.
        stretches: that stand in them.
        names: of the tables, sync_jobs among them.
        wanted: for each of all jobs whether it is; None for all. A stretch without any is passed over.

    Raises:
        OutputError: a file cannot be read.
    """
    first = 0
    for entry in stretches:
        mask = None if wanted is None else wanted[first : first + entry.jobs]
        first += entry.jobs
        if mask is None or mask.any():
            stretch = Stretch.of({name: _read(folder, name, entry.spans.get(name)) for name in names})
            yield stretch if mask is None else stretch.pick(mask)


def _read(folder: Path, name: str, span: Span | None) -> pa.RecordBatch:
    if span is None:
        return no_rows(name)
    path = stretches_path(folder, name)
    try:
        packed = read_span(path, span.start, span.size)
        message = pa.decompress(packed, decompressed_size=span.unpacked, codec=_CODEC)
        return pa.ipc.read_record_batch(message, arrow_schema(name))
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read: {error}; check the file system and run again"
        raise OutputError(msg) from error


def _compressed(content: pa.Buffer | bytes) -> bytes:
    packed: bytes = pa.compress(content, codec=_CODEC, asbytes=True)
    return packed


def stretches_path(folder: Path, name: str) -> Path:
    """Return the path of a table's file."""
    return folder / f"{name}.{FORMAT}"
