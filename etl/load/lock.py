"""One writer per dataset: an operating system's lock, which a dead program cannot keep."""

from __future__ import annotations

import os
import socket
import sys
from datetime import datetime  # noqa: TC003 - msgspec resolves the types of the fields at run time
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, SoftFileLock, Timeout

from etl.errors import LockedError, OutputError
from etl.load.objects.lease import Lease, holder_of_lease, read_held
from etl.load.objects.storage import ObjectStorage
from etl.load.place import in_store

if TYPE_CHECKING:
    from pathlib import Path

    from etl.load.storage import Storage


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves in the lock file: its id, where it works, and since when it holds the lock (UTC)."""

    run: str
    host: str
    pid: int
    since: datetime


def acquire(storage: Storage, *, run_id: str, now: datetime) -> DatasetLock | Lease:
    """Take hold of a dataset for a run, at once or not at all, by what there is for that: a lock, or a lease.

    Raises:
        LockedError: another run holds it; the message names it.
        OutputError: the file cannot be written, or the file system has no locks.
    """
    if not isinstance(storage, ObjectStorage):
        return DatasetLock.acquire(storage, run_id=run_id, now=now)
    storage.lease = Lease.acquire(storage.lease_path, run_id=run_id, now=now)
    return storage.lease


class DatasetLock:
    """The lock of a dataset, held from `acquire` until `release`."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    @classmethod
    def acquire(cls, storage: Storage, *, run_id: str, now: datetime) -> DatasetLock:
        """Take the lock at once or not at all, and leave this run's name in it.

        Raises:
            LockedError: another run holds it; the message names it.
            OutputError: the file cannot be written, or the file system has no locks.
        """
        path = storage.layout.lock
        # Read first: older versions of filelock empty the file even when they fail to lock it.
        holder = _read_holder(path)
        # A run may begin in one thread and end in another.
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise LockedError(_held(path, _read_holder(path) or holder)) from error
        except (OSError, NotImplementedError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else error  # without the path again
            msg = f"{path}: cannot be locked: {said}; check the permissions, or choose another --output"
            raise OutputError(msg) from error
        try:
            if _is_soft(lock):
                msg = f"{path}: the file system has no locks, so two runs could meet; choose another --output"
                raise OutputError(msg)  # noqa: TRY301 - the lock must be released as after every failure here
            name = Holder(run=run_id, host=socket.gethostname(), pid=os.getpid(), since=now)
            storage.overwrite(path, msgspec.json.encode(name) + b"\n")
        except BaseException:
            lock.release()
            raise
        return cls(lock)

    def release(self) -> None:
        """Give the lock back; doing it twice is fine."""
        self._lock.release()


def name_of_holder(path: Path) -> bytes:
    """Return what the run that holds a dataset has left there, the same as long as it does.

    Args:
        path: of the lock.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; check the permissions, or choose another --output"
        raise OutputError(msg) from error
    if in_store(path) is None:
        return content
    held = read_held(content)
    return b"" if held is None else f"{held.run} {held.host} {held.pid}".encode()


def holder_of(path: Path) -> str | None:
    """Say who holds the lock of a dataset; None where it is free.

    Nothing is written; a free lock is shared with other readers for a moment.

    Args:
        path: of the lock file.

    Raises:
        OutputError: the file cannot be opened, or the file system has no locks.
    """
    address = in_store(path)
    if address is not None:
        return holder_of_lease(address)
    if not path.exists():
        return None
    try:
        is_free = _can_share(path)
    except OSError as error:
        msg = f"{path}: cannot be locked: {error.strerror}; check the permissions, or choose another --output"
        raise OutputError(msg) from error
    return None if is_free else _held(path, _read_holder(path))


if sys.platform == "win32":

    def _can_share(path: Path) -> bool:
        """Tell whether nobody holds the lock: here nobody else can read what is locked."""
        try:
            path.read_bytes()
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _can_share(path: Path) -> bool:
        """Tell whether nobody holds the lock."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_soft(lock: object) -> bool:
    """Tell whether filelock fell back to a mere file, which a dead program keeps."""
    return isinstance(lock, SoftFileLock)


def _read_holder(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None  # absent, emptied, or locked against reading: the message does without


def _held(path: Path, holder: Holder | None) -> str:
    if holder is None:
        return f"{path}: another run holds the lock; wait for it to end"
    return (
        f"{path}: run {holder.run} on host {holder.host}, pid {holder.pid}, "
        f"has held the lock since {holder.since:%Y-%m-%dT%H:%M:%SZ}; wait for it to end"
    )
