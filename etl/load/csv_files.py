"""The CSV files of a new snapshot: written anew for tables that changed, linked for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.load.csv_form import FORMAT, write_csv
from etl.load.manifest import FileEntry
from etl.load.parquet import read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from etl.load.reader import Snapshot
    from etl.load.storage import Storage


def csv_file(
    storage: Storage, folder: Path, name: str, files: Sequence[FileEntry], former: Snapshot | None, *, raw: bool
) -> FileEntry:
    """Give a table its CSV file.

    Args:
        storage: of the dataset.
        folder: of the snapshot that is built.
        name: of the table.
        files: its Parquet files in that folder, in the order of their rows.
        former: the snapshot before; None for the first.
        raw: see `write_csv`.

    Raises:
        OutputError: a file cannot be read or written.
    """
    path = f"{name}.{FORMAT}"
    entry = _unchanged(name, files, former, raw=raw)
    if entry is not None and former is not None:
        storage.link(former.folder / path, folder / path)
        return entry

    def chunks() -> Iterator[pa.Table]:
        for file in files:
            yield from read_chunks(folder / file.path, name)

    written = write_csv(storage, folder / path, name, chunks(), raw=raw)
    return FileEntry(
        path=path, format=FORMAT, month=None, rows=written.rows, bytes=written.bytes, sha256=written.sha256
    )


def _unchanged(name: str, files: Sequence[FileEntry], former: Snapshot | None, *, raw: bool) -> FileEntry | None:
    """Return the former CSV file of a table where it was made of the same rows in the same way."""
    if former is None or former.manifest.csv_raw != raw:
        return None
    if [file.sha256 for file in files] != [file.sha256 for file in former.entries(name)]:
        return None
    return next((file for file in former.manifest.tables[name].files if file.format == FORMAT), None)
