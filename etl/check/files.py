"""The files of a snapshot against its manifest: that they are there, whole, and alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from etl.check.findings import Kind, Scope
from etl.load.folders import listing
from etl.load.layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from etl.load.manifest import FileEntry


def is_whole(scope: Scope, entry: FileEntry, *, hashed: bool) -> bool:
    """Tell whether a file is the one that the manifest names: its size, and its content where `hashed`."""
    path = scope.folder / entry.path
    if not path.is_file():
        scope.tell(Kind.MISSING, path, "is not there, though the manifest names it")
        return False
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            scope.tell(Kind.SIZE, path, f"has {size:,} bytes, not the {entry.bytes:,} of the manifest")
            return False
        if hashed and (found := _sha256(path)) != entry.sha256:
            scope.tell(Kind.HASH, path, f"has the SHA-256 {found}, not the {entry.sha256} of the manifest")
            return False
    except OSError as error:
        scope.tell(Kind.UNREADABLE, path, f"cannot be read: {error.strerror}")
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_orphans(scope: Scope, tables: Collection[str], named: Collection[str]) -> None:
    """Find what stands in a snapshot without being named: plain reads would take it for a part of a table.

    Args:
        scope: the snapshot.
        tables: names of its tables, which are its folders.
        named: paths of its files, below its folder.
    """
    expected = {MANIFEST, *named}
    for path in listing(scope.folder):
        if path.name in tables and path.is_dir():
            for inner in listing(path):
                _check_orphan(scope, inner, expected)
        else:
            _check_orphan(scope, path, expected)


def _check_orphan(scope: Scope, path: Path, expected: Collection[str]) -> None:
    if path.relative_to(scope.folder).as_posix() not in expected:
        what = "a folder" if path.is_dir() and not path.is_symlink() else "a file"
        scope.findings.add(Kind.ORPHAN, path, f"{what} that the manifest does not name; move it away")
