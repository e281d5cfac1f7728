"""What readers use: `latest`, a link to the published snapshot, or `_latest.json` on a store without links.

Where both exist (a crash between two steps of the change from one to the other), `_latest.json` counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from etl.errors import OutputError
from etl.load.layout import Layout, is_run_id
from etl.load.place import in_store

if TYPE_CHECKING:
    from etl.load.storage import Storage


_FORM = '{"snapshot": "snapshots/<newest folder there>"}'


class _Pointer(msgspec.Struct, frozen=True):
    snapshot: str


def read_pointer(root: Path) -> str | None:
    """Return the run id of the published snapshot, or None where nothing is published.

    Raises:
        OutputError: `latest` is something else than a link to a snapshot, or `_latest.json` cannot be read.
    """
    layout = Layout(root)
    if layout.pointer.exists():
        return _read_file(layout.pointer)
    if in_store(root) is not None:
        return None
    if not layout.link.is_symlink():
        if layout.link.exists():
            msg = (
                f"{layout.link}: a file or folder of its own, not a link to a snapshot (links are lost when a dataset "
                "is copied without them); move it away and link it to the newest folder in snapshots/"
            )
            raise OutputError(msg)
        return None
    target = layout.link.readlink()
    run_id = target.name
    if target.parent.name != "snapshots" or not is_run_id(run_id):
        msg = f"{layout.link}: links to {target}, not to a snapshot; link it to a folder in snapshots/"
        raise OutputError(msg)
    return run_id


def _read_file(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read ({error}); let it hold {_FORM}"
        raise OutputError(msg) from error
    return _named_by(path, content)


def _named_by(path: Path, content: bytes) -> str:
    try:
        run_id = Path(msgspec.json.decode(content, type=_Pointer).snapshot).name
    except (msgspec.MsgspecError, UnicodeError) as error:
        msg = f"{path}: cannot be read ({error}); let it hold {_FORM}"
        raise OutputError(msg) from error
    if not is_run_id(run_id):
        msg = f"{path}: names {run_id!r}, which is no snapshot; let it name a folder in snapshots/"
        raise OutputError(msg)
    return run_id


def mended_pointer(root: Path, name: str) -> str:
    """Say how a person leads readers to a snapshot, as the end of a sentence.

    Args:
        root: of the dataset.
        name: of the snapshot, below the root.
    """
    return f"link it to {name}" if in_store(root) is None else f'let it hold {{"snapshot": "{name}"}}'


def swap_pointer(storage: Storage, run_id: str, *, base: str | None) -> None:
    """Let readers see the snapshot `run_id`, in one rename or one write, durable when this returns.

    Args:
        storage: of the dataset.
        run_id: of the snapshot.
        base: what they see until then, as the run has found it.

    Raises:
        LockedError: somebody has published since, where a lock can be lost.
        OutputError: see there.
    """
    layout = storage.layout
    target = layout.snapshot(run_id)
    content = msgspec.json.encode(_Pointer(f"{layout.snapshots.name}/{run_id}"))
    # An existing _latest.json counts, so it changes first: the link beside it is only then brought up.
    if in_store(layout.root) is not None:
        storage.exchange(
            layout.pointer, content, lambda found: base == (None if found is None else _named_by(layout.pointer, found))
        )
    elif layout.pointer.exists():
        storage.replace_file(layout.pointer, content)
        storage.point(layout.link, target)
    elif not storage.point(layout.link, target):
        storage.replace_file(layout.pointer, content)
    settle_pointer(storage)


def settle_pointer(storage: Storage) -> None:
    """Leave exactly one of the two: the link where both say the same, else the file."""
    layout = storage.layout
    if not (layout.pointer.exists() and layout.link.is_symlink()):
        return
    same = layout.link.readlink().name == _read_file(layout.pointer)
    storage.remove_file(layout.pointer if same else layout.link)
    storage.sync_folder(layout.root)
