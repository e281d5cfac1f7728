"""What stands in the folders of a dataset, and what can be told of a snapshot by what stands beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.errors import OutputError
from etl.load.layout import BATCH_MANIFEST, MANIFEST, is_run_id, is_unfinished
from etl.load.place import in_store, is_there

if TYPE_CHECKING:
    from pathlib import Path

    from etl.load.layout import Layout
    from etl.load.manifest import SnapshotManifest


def listing(folder: Path) -> list[Path]:
    """Return what is in a folder, by name; nothing where there is none.

    Raises:
        OutputError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"{folder}: cannot be read: {error.strerror}; give this account the right to, or restore the folder"
        raise OutputError(msg) from error


def run_ids(folder: Path) -> list[str]:
    """Return the names of what is whole in snapshots/ or runs/, the oldest first.

    Raises:
        OutputError: the folder cannot be read.
    """
    address = in_store(folder)
    names = [path.name for path in listing(folder)] if address is None else sorted(address.folders_with(MANIFEST))
    return [name for name in names if is_run_id(name)]


def leftovers(folder: Path) -> list[Path]:
    """Return what is not whole in snapshots/ or runs/: it was being built, or taken apart, by a run that died.

    Raises:
        OutputError: the folder cannot be read.
    """
    if in_store(folder) is None:
        return [path for path in listing(folder) if is_unfinished(path.name)]
    whole = set(run_ids(folder))
    return [path for path in listing(folder) if is_run_id(path.name) and path.name not in whole]


def was_published(layout: Layout, manifest: SnapshotManifest) -> bool:
    """Tell whether readers were led to a snapshot, also where the link and the record of its run are lost.

    One that follows another was built on a published one; one whose batches are gone was published itself. Only a first
    snapshot whose batches are still staged was never linked.
    """
    staged = [layout.staging / batch_id for batch_id in manifest.batches]
    return manifest.parent is not None or not any(is_there(folder, BATCH_MANIFEST) for folder in staged)
