"""The output folder itself: what `latest` leads to, what does not belong, what dead runs left, the lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from etl.check.findings import Findings, Kind, one_line
from etl.errors import OutputError
from etl.load.folders import leftovers, listing, run_ids, was_published
from etl.load.layout import Layout, is_run_id, unfinished
from etl.load.lock import Holder
from etl.load.manifest import RunState
from etl.load.place import in_store, is_there
from etl.load.pointer import mended_pointer, read_pointer
from etl.load.reader import nothing_published, snapshot_of
from etl.load.runs import read_run

if TYPE_CHECKING:
    from pathlib import Path


def private_listing(folder: Path, findings: Findings) -> list[Path]:
    """Return what is in a folder that only the account that runs etl may read; nothing, and a note, to another one.

    Raises:
        OutputError: the folder cannot be read for another reason.
    """
    try:
        return listing(folder)
    except OutputError as error:
        if not is_private(error):
            raise
        tell_private(folder, findings)
        return []


def is_private(error: OutputError) -> bool:
    """Tell whether a folder or a file cannot be read since it is another account's."""
    return isinstance(error.__cause__, PermissionError)


def tell_private(path: Path, findings: Findings) -> None:
    """Note that a part was not looked at."""
    detail = "private to the account that runs etl, so it was not looked at; that account can check it"
    findings.add(Kind.PRIVATE, path, detail)


def without_prefix(error: OutputError, path: Path) -> str:
    """Return the message of an error without the path that it begins with, which a finding names by itself."""
    return one_line(str(error).removeprefix(f"{path}: "))


def published(layout: Layout, findings: Findings) -> str | None:
    """Return what `latest` names, if that is a snapshot that is there.

    Raises:
        OutputError: nothing was ever published here.
    """
    snapshots = run_ids(layout.snapshots)
    newest = (
        mended_pointer(layout.root, _name(layout, snapshots[-1])) if snapshots else "restore the dataset from a backup"
    )
    if layout.pointer.exists() and layout.link.is_symlink():
        detail = f"stands beside {layout.pointer.name}, and only one of them should; the next run settles it"
        findings.add(Kind.POINTER, layout.link, detail)
    try:
        run_id = read_pointer(layout.root)
    except OutputError as error:
        path = layout.pointer if layout.pointer.exists() else layout.link
        findings.add(Kind.POINTER, path, without_prefix(error, path))
        return None
    if run_id is None:
        if not any(_was_published(layout, name) for name in snapshots):
            raise OutputError(nothing_published(layout.root))
        path = layout.link if in_store(layout.root) is None else layout.pointer
        findings.add(Kind.POINTER, path, f"is not there, though snapshots were published; {newest}")
        return None
    if not is_there(layout.snapshot(run_id)):
        path = layout.pointer if layout.pointer.exists() else layout.link
        findings.add(Kind.POINTER, path, f"names {_name(layout, run_id)}, which is not there; {newest}")
        return None
    return run_id


def _name(layout: Layout, run_id: str) -> str:
    return layout.snapshot(run_id).relative_to(layout.root).as_posix()


def _was_published(layout: Layout, run_id: str) -> bool:
    """Tell whether a snapshot was seen by readers, by the record of its run or, where that is gone, by its own."""
    try:
        if read_run(layout, run_id).state is RunState.PUBLISHED:
            return True
    except OutputError:
        pass  # pruned, lost, or not yet written
    try:
        manifest = snapshot_of(layout.root, run_id).manifest
    except OutputError:
        return False
    return was_published(layout, manifest)


def look_around(layout: Layout, findings: Findings) -> None:
    """Note what is no part of the dataset, and what runs left that died.

    Raises:
        OutputError: a folder cannot be read.
    """
    parts = {
        layout.link, layout.pointer, layout.snapshots, layout.runs, layout.staging, layout.lock,
        layout.root / ".gitignore",  # keeps a dataset out of the repository that it stands in
    }  # fmt: skip
    fresh = {unfinished(path) for path in (layout.link, layout.pointer)}
    for path in listing(layout.root):
        if path in fresh:
            findings.add(Kind.LEFTOVER, path, "left by a run that died; the next run removes it")
        elif path not in parts:
            findings.add(Kind.FOREIGN, path, "is no part of the dataset; better kept elsewhere")
    for folder in (layout.snapshots, layout.runs, layout.staging):
        there = private_listing(folder, findings)
        unfinished_ones = set(leftovers(folder)) if there and folder != layout.staging else set()
        for path in there:
            if path in unfinished_ones:
                findings.add(Kind.LEFTOVER, path, "unfinished, by a run that died or still works; the next removes it")
            elif not is_run_id(path.name):
                findings.add(Kind.FOREIGN, path, "is no part of the dataset; better kept elsewhere")
            elif folder == layout.staging:
                detail = (
                    "fetched, not yet published, by a run that died or still works; the next one takes it or drops it"
                )
                findings.add(Kind.LEFTOVER, path, detail)
    _check_lock(layout.lock, findings)


def _check_lock(path: Path, findings: Findings) -> None:
    if not path.exists():
        return
    remedy = "remove it while no run works"
    if not path.is_file():
        findings.add(Kind.LOCK, path, f"is no file, so no run can lock it; {remedy}")
        return
    try:
        content = path.read_bytes()
    except OSError:
        return  # some systems let nobody read what a run has locked
    if not content.strip():
        return
    try:
        msgspec.json.decode(content, type=Holder)
    except (msgspec.MsgspecError, UnicodeError):
        findings.add(Kind.LOCK, path, f"does not hold the name of a run; {remedy}")
