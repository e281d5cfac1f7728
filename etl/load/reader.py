"""A published snapshot, resolved once: whoever holds one sees one state, whatever is published meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from etl.errors import OutputError
from etl.load.layout import MANIFEST, Layout
from etl.load.manifest import FileEntry, SnapshotManifest, read_manifest
from etl.load.parquet import FORMAT, read_chunks, schema_of
from etl.load.place import in_store, is_there
from etl.load.pointer import read_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One published state.

    Attributes:
        folder: its folder, not through `latest`.
        manifest: what it holds.
    """

    folder: Path
    manifest: SnapshotManifest

    @property
    def run_id(self) -> str:
        """The run that published it."""
        return self.manifest.run_id

    def entries(self, name: str) -> tuple[FileEntry, ...]:
        """Return the Parquet files of a table, none for one that did not exist when this was published."""
        table = self.manifest.tables.get(name)
        return tuple(entry for entry in table.files if entry.format == FORMAT) if table else ()

    def table_files(self, name: str) -> list[Path]:
        """Return the paths of a table's Parquet files."""
        return [self.folder / entry.path for entry in self.entries(name)]

    def rows(self, name: str) -> int:
        """Return the number of a table's rows."""
        table = self.manifest.tables.get(name)
        return table.rows if table else 0

    @property
    def bytes(self) -> int:
        """The size of all its files, of every format."""
        return sum(file.bytes for table in self.manifest.tables.values() for file in table.files)

    def months(self) -> set[str | None]:
        """Return the months that jobs stand in; None is that of undated jobs."""
        return {entry.month for entry in self.entries("sync_jobs") if entry.rows}

    def month_files(self, name: str, month: str | None) -> list[Path]:
        """Return the paths of a table's Parquet files with rows of one month, in the order of their rows."""
        return [self.folder / entry.path for entry in self.entries(name) if entry.rows and entry.month == month]

    def chunks(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read a table in bounded chunks, in the current schema.

        Raises:
            OutputError: a file cannot be read.
        """
        for path in self.table_files(name):
            yield from read_chunks(path, name, columns=columns)

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a whole table, in the current schema.

        Raises:
            OutputError: a file cannot be read.
        """
        return pa.concat_tables([schema_of(name, columns).empty_table(), *self.chunks(name, columns)])


def open_snapshot(root: Path) -> Snapshot | None:
    """Resolve what is published now; None where nothing is.

    Raises:
        OutputError: `latest` or the manifest cannot be read.
    """
    run_id = read_pointer(root)
    return None if run_id is None else snapshot_of(root, run_id)


def published_snapshot(root: Path) -> Snapshot:
    """Resolve what is published now.

    Raises:
        OutputError: nothing is, or it cannot be read.
    """
    snapshot = open_snapshot(root)
    if snapshot is None:
        raise OutputError(nothing_published(root))
    return snapshot


def nothing_published(root: Path) -> str:
    """Say that there is no dataset in a folder, and where one is: that above, or one yet to be made."""
    here = root.absolute()
    address = in_store(root)
    if address is not None:
        address.store.check(address.key)
    for folder in here.parents[:_ABOVE]:
        layout = Layout(folder)
        if layout.link.is_symlink() or layout.pointer.exists():
            return f"{here}: lies in a dataset; name the folder of the dataset itself, {folder}"
    return f"{here}: no dataset is published here; make one with `etl run` or, to try, `etl demo`"


_ABOVE = 3  # levels between a table of a snapshot and the dataset
_RESTORE = "restore it from a backup, or let `latest` name another folder in snapshots/"
_MOVE_AWAY = "move that snapshot away: `latest` does not need it"


def snapshot_of(root: Path, run_id: str, *, remedy: str = _RESTORE) -> Snapshot:
    """Open a snapshot by its run id.

    Raises:
        OutputError: it does not exist, or its manifest cannot be read; the message ends with the remedy.
    """
    folder = Layout(root).snapshot(run_id)
    return Snapshot(folder=folder, manifest=read_manifest(folder / MANIFEST, SnapshotManifest, remedy=remedy))


def chain_of(root: Path, run_id: str | None) -> list[Snapshot]:
    """Return a snapshot and those it followed, newest first, as far as they still exist.

    Raises:
        OutputError: a manifest cannot be read.
    """
    chain: list[Snapshot] = []
    seen: set[str] = set()
    while run_id is not None and run_id not in seen and (not chain or is_there(Layout(root).snapshot(run_id))):
        seen.add(run_id)
        chain.append(snapshot_of(root, run_id, remedy=_MOVE_AWAY if chain else _RESTORE))
        run_id = chain[-1].manifest.parent
    return chain
