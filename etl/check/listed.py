"""What a snapshot's manifest says of tables, files and rows, held against itself and against the declaration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl.check.findings import Kind, Scope
from etl.load.csv_form import FORMAT as CSV
from etl.load.layout import MANIFEST, is_run_id
from etl.load.parquet import FORMAT
from etl.schema.arrow import schema_fingerprint
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.load.manifest import FileEntry, SnapshotManifest, TableEntry

_NAME = re.compile(r"(?P<table>[^/]+)/(?P<month>[^/_]+)_(?P<run>[^/_]+)_(0|[1-9]\d*)\.parquet")
_TABLES = frozenset(table.name for table in TABLES)


def is_current(manifest: SnapshotManifest) -> bool:
    """Tell whether a snapshot has the tables of this version; else they are those of an older one."""
    return manifest.origin.schema_fingerprint == schema_fingerprint()


def usable_entries(scope: Scope, manifest: SnapshotManifest) -> dict[str, list[FileEntry]]:
    """Check a manifest, and return per known table the files that it names rightly.

    A name that is none of a table's file is not followed: it could lead out of the snapshot.
    """
    path = scope.folder / MANIFEST
    if manifest.run_id != scope.folder.name:
        scope.tell(Kind.MANIFEST, path, f"is the manifest of run {manifest.run_id}, not of this snapshot")
    for name in manifest.formats:
        if name not in {FORMAT, CSV}:
            scope.findings.add(Kind.MANIFEST, path, f"names the format {name}, unknown to this version; upgrade etl")
    if FORMAT not in manifest.formats:
        scope.tell(Kind.MANIFEST, path, f"does not name the format {FORMAT}, which every dataset has")
    for name in manifest.tables:
        if name not in _TABLES:
            scope.findings.add(Kind.MANIFEST, path, f"names the table {name}, unknown to this version; upgrade etl")
    usable: dict[str, list[FileEntry]] = {}
    for table in TABLES:
        entry = manifest.tables.get(table.name)
        if entry is not None:
            usable[table.name] = list(_rightly_named(scope, table.name, entry))
            _check_rows(scope, table.name, entry)
            _check_formats(scope, table.name, entry, manifest.formats)
        elif is_current(manifest):
            scope.tell(Kind.MANIFEST, path, f"does not name the table {table.name}")
    return usable


def _rightly_named(scope: Scope, name: str, table: TableEntry) -> Iterator[FileEntry]:
    seen: set[str] = set()
    for entry in table.files:
        if not _fits(name, entry):
            detail = f"{name}: names {entry.path!r}, which is no name of a {entry.format} file of {_month(entry)}"
            scope.tell(Kind.MANIFEST, scope.folder / MANIFEST, detail)
        elif entry.path in seen:
            scope.tell(Kind.MANIFEST, scope.folder / MANIFEST, f"{name}: names {entry.path} twice")
        else:
            seen.add(entry.path)
            yield entry


def _fits(name: str, entry: FileEntry) -> bool:
    if entry.format == CSV:
        return entry.path == f"{name}.{CSV}" and entry.month is None
    match = _NAME.fullmatch(entry.path)
    if entry.format != FORMAT or match is None or match["table"] != name or not is_run_id(match["run"]):
        return False
    return match["month"] in ({"undated", "empty"} if entry.month is None else {entry.month})


def _month(entry: FileEntry) -> str:
    return entry.month or "undated jobs"


def _check_rows(scope: Scope, name: str, table: TableEntry) -> None:
    path = scope.folder / MANIFEST
    parquet = [entry for entry in table.files if entry.format == FORMAT]
    total = sum(entry.rows for entry in parquet)
    if total != table.rows:
        scope.tell(Kind.COUNT, path, f"{name}: has {table.rows:,} rows, and {total:,} in its files")
    if table.rows == 0 and len(parquet) != 1:
        detail = f"{name}: has no rows and {len(parquet)} files, where one without rows stands for the table"
        scope.tell(Kind.COUNT, path, detail)
    if table.rows and not all(entry.rows for entry in parquet):
        scope.tell(Kind.COUNT, path, f"{name}: has rows, and a file without any")
    for entry in table.files:
        if entry.format == CSV and entry.rows != table.rows:
            scope.tell(Kind.COUNT, path, f"{name}: has {table.rows:,} rows, and {entry.rows:,} in {entry.path}")


def _check_formats(scope: Scope, name: str, table: TableEntry, formats: tuple[str, ...]) -> None:
    path = scope.folder / MANIFEST
    there = [entry.format for entry in table.files]
    if CSV in formats and there.count(CSV) != 1:
        scope.tell(Kind.COUNT, path, f"{name}: has {there.count(CSV)} CSV files, where the format csv asks for one")
    for found in sorted(set(there) - set(formats)):
        scope.tell(Kind.MANIFEST, path, f"{name}: has a file of the format {found}, which the dataset has not")
