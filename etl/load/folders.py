"""What stands in the folders of a dataset, and what can be told of a snapshot by what stands beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.errors import OutputError
from etl.load.layout import is_run_id

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
    """Return the names in snapshots/ or runs/ that are run ids, the oldest first.

    Raises:
        OutputError: the folder cannot be read.
    """
    return [path.name for path in listing(folder) if is_run_id(path.name)]


def was_published(layout: Layout, manifest: SnapshotManifest) -> bool:
    """Tell whether readers were led to a snapshot, also where the link and the record of its run are lost.

    One that follows another was built on a published one; one whose batches are gone was published itself. Only a first
    snapshot whose batches are still staged was never linked.
    """
    staged = [layout.staging / batch_id for batch_id in manifest.batches]
    return manifest.parent is not None or not any(folder.is_dir() for folder in staged)
