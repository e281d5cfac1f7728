"""Changes on disk by their names, and what to do where the operating system refuses one."""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK, errno.EACCES}
"""What file systems answer that have no links, or no more of them."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class Step(StrEnum):
    """A change on disk, in words that complete "cannot ..."."""

    MAKE_FOLDER = "make the folder"
    CREATE = "create the file"
    WRITE = "write to the file"
    OVERWRITE = "write over the file"
    SYNC_FILE = "flush the file to disk"
    SYNC_FOLDER = "flush the folder to disk"
    RENAME = "rename"
    REPLACE = "replace the file"
    LINK = "link the file"
    SYMLINK = "make the symbolic link"
    REMOVE_FILE = "remove the file"
    REMOVE_FOLDER = "remove the folder"


def refusal(kind: Step, path: Path, error: OSError, *, elsewhere: str, after_full: str) -> str:
    """Say what was refused, and what to do.

    Args:
        kind: of the change.
        path: where it was to be made.
        error: what the operating system said.
        elsewhere: what to do where nothing can be written, as a part of a sentence.
        after_full: what to add where the disk is full.
    """
    said: str = error.strerror or str(error)
    if error.errno in _FULL:
        todo = f"free space there and run again{after_full}"
    elif error.errno in _FORBIDDEN:
        todo = f"give this account the right to write there, or {elsewhere}"
    elif error.errno == errno.ENOTDIR or (kind is Step.MAKE_FOLDER and error.errno == errno.EEXIST):
        said, todo = "there is something that is no folder", elsewhere
    else:
        todo = "check the file system and run again"
    return f"{path}: cannot {kind}: {said}; {todo}"


_PRIVILEGE_NOT_HELD = 1314  # what Windows answers to accounts that may not make symbolic links


def means_no_links(cause: BaseException | None) -> bool:
    """Tell whether a file system refused a link since it has none, or no more of them."""
    return isinstance(cause, OSError) and (
        cause.errno in _NO_LINKS or getattr(cause, "winerror", None) == _PRIVILEGE_NOT_HELD
    )
