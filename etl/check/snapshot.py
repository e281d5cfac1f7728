"""One snapshot, from its manifest down to its rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from etl.check.csv_rows import check_csv
from etl.check.files import check_orphans, is_whole
from etl.check.findings import Findings, Kind, Scope
from etl.check.form import has_readable_form
from etl.check.listed import is_current, usable_entries
from etl.check.place import without_prefix
from etl.check.rows import RowsCheck
from etl.check.stream import Stream
from etl.errors import OutputError
from etl.load.csv_form import FORMAT as CSV
from etl.load.folders import run_ids
from etl.load.layout import MANIFEST, Layout
from etl.load.manifest import SnapshotManifest, read_manifest
from etl.load.parquet import FORMAT
from etl.load.place import is_there

if TYPE_CHECKING:
    from etl.load.manifest import FileEntry


class Depth(Enum):
    """How closely a snapshot is looked at."""

    SIZES = auto()
    """Its manifest, and the sizes of its files."""

    FULL = auto()
    """Also the content of its files, and every row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What was looked at.

    Attributes:
        tables: in the snapshot.
        files: that are whole.
        rows: in its Parquet files that are whole; 0 where only sizes were looked at.
    """

    tables: int = 0
    files: int = 0
    rows: int = 0


def check_snapshot(
    layout: Layout, run_id: str, findings: Findings, *, is_latest: bool, depth: Depth, most_rows: int
) -> Checked:
    """Check one snapshot.

    Args:
        layout: of the dataset.
        run_id: of the snapshot.
        findings: where they go.
        is_latest: whether readers see it.
        depth: how closely to look.
        most_rows: that a file may have.

    Raises:
        OutputError: a folder cannot be read.
    """
    folder = layout.snapshot(run_id)
    path = folder / MANIFEST
    try:
        manifest = read_manifest(path, SnapshotManifest, remedy=_remedy(layout, run_id, None, is_latest=is_latest))
    except OutputError as error:
        findings.add(Kind.MANIFEST, path, without_prefix(error, path))
        return Checked()
    remedy = _remedy(layout, run_id, manifest.parent, is_latest=is_latest)
    scope = Scope(folder=folder, findings=findings, remedy=remedy)
    entries = usable_entries(scope, manifest)
    check_orphans(scope, manifest.tables, [entry.path for files in entries.values() for entry in files])
    whole = {
        name: [entry for entry in files if is_whole(scope, entry, hashed=depth is Depth.FULL)]
        for name, files in entries.items()
    }
    files = sum(map(len, whole.values()))
    if depth is Depth.SIZES:
        return Checked(tables=len(entries), files=files)
    rows = _check_content(scope, manifest, whole, most_rows)
    return Checked(tables=len(entries), files=files, rows=rows)


def _check_content(scope: Scope, manifest: SnapshotManifest, whole: dict[str, list[FileEntry]], most_rows: int) -> int:
    current = is_current(manifest)
    readable: dict[str, list[FileEntry]] = {}
    for name, files in whole.items():
        readable[name] = [
            entry
            for entry in files
            if entry.format == FORMAT and has_readable_form(scope, name, entry, current=current, most_rows=most_rows)
        ]
    kept = {entry.path for files in readable.values() for entry in files}
    partial = {
        (name, entry.month)
        for name, table in manifest.tables.items()
        for entry in table.files
        if entry.format == FORMAT and entry.path not in kept
    }
    RowsCheck(scope, readable, partial).run()
    damaged = {name for name, _ in partial}
    for name, files in whole.items():
        for entry in files:
            if entry.format == CSV and name not in damaged:
                check_csv(scope, name, entry, Stream(scope, name, readable[name]), current=current)
    return sum(entry.rows for files in readable.values() for entry in files)


def _remedy(layout: Layout, run_id: str, parent: str | None, *, is_latest: bool) -> str:
    name = layout.snapshots.name
    if not is_latest:
        return f"move {name}/{run_id} away: `latest` does not need it"
    older = [other for other in run_ids(layout.snapshots) if other < run_id]
    if parent is not None and is_there(layout.snapshot(parent)):
        return f"restore {name}/{run_id} from a backup, or link `latest` to its parent {name}/{parent}"
    if parent is None and older:
        return f"restore {name}/{run_id} from a backup, or link `latest` to {name}/{older[-1]}"
    return f"restore {name}/{run_id} from a backup, or fetch all ids again into another --output"
