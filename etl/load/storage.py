"""The one seam through which the dataset is written: every change on disk is a named step.

Tests count, record and interrupt the steps. What the operating system refuses is told here, once, as an `OutputError`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from etl.errors import OutputError
from etl.load.layout import Layout, removed, unfinished
from etl.load.steps import Step, means_no_links, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a closed file holds.

    Attributes:
        bytes: its size.
        sha256: of its content, in hex.
    """

    bytes: int
    sha256: str


class NewFile:
    """A file being written: it hashes and counts what goes in, and closing it puts it on disk for good.

    Leaving the `with` block by an exception closes it without that promise. Arrow writes to it as to any file object.
    """

    def __init__(self, storage: Storage, path: Path, descriptor: int) -> None:
        self._storage = storage
        self._path = path
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self.closed = False

    def write(self, content: bytes) -> int:
        """Take bytes; they reach the disk when the buffer is full or the file is closed."""
        if self.closed:
            return len(content)  # Arrow writes an end into an abandoned file when its writer is collected
        self._buffer += content
        self._hash.update(content)
        self._size += len(content)
        if len(self._buffer) >= _BUFFER_BYTES:
            self._drain()
        return len(content)

    def tell(self) -> int:
        """Return the bytes taken so far."""
        return self._size

    def flush(self) -> None:
        """Do nothing: only a closed file promises anything."""

    def writable(self) -> bool:
        """Tell Arrow what the file is for."""
        return True

    def close(self) -> None:
        """Write what is buffered and flush it to disk.

        Raises:
            OutputError: the disk is full, or refuses.
        """
        if self.closed:
            return
        try:
            self._drain()
            with self._storage.step(Step.SYNC_FILE, self._path):
                os.fsync(self._descriptor)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without a promise about its content."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)

    @property
    def written(self) -> Written:
        """Size and hash of what was taken."""
        return Written(bytes=self._size, sha256=self._hash.hexdigest())

    def _drain(self) -> None:
        if not self._buffer:
            return
        with self._storage.step(Step.WRITE, self._path):
            view = memoryview(bytes(self._buffer))
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._buffer.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class Storage:
    """All changes below one output folder. It can be pickled, so that a worker can stage a batch.

    Every method raises `OutputError` where the operating system refuses.

    Attributes:
        layout: the paths of the dataset.
        mode: permissions of new files that readers use, such as 0o640, and of their folders; None leaves them to the
            umask.
        elsewhere: what to do where nothing can be written, as a part of a sentence.
        after_full: what to add where the disk is full.
    """

    elsewhere: ClassVar[str] = "choose another --output"
    after_full: ClassVar[str] = "; what was fetched stays staged"

    def __init__(self, root: Path, *, mode: int | None = None) -> None:
        self.mode = mode
        self.layout = Layout(Path(os.path.abspath(root)))  # noqa: PTH100 - resolve() would follow a linked root

    @contextmanager
    def step(self, kind: Step, path: Path, target: Path | None = None) -> Iterator[None]:
        """Announce a change and translate what goes wrong in it."""
        try:
            self._step(kind, path, target)
            yield
        except OSError as error:
            raise OutputError(self._refusal(kind, path, error)) from error

    def _step(self, kind: Step, path: Path, target: Path | None) -> None:
        """Do nothing: the place where tests record and interrupt."""

    def _refusal(self, kind: Step, path: Path, error: OSError) -> str:
        return refusal(kind, path, error, elsewhere=self.elsewhere, after_full=self.after_full)

    def make_folder(self, path: Path, *, private: bool = False) -> None:
        """Make a folder and those above it, each one durable in its parent; an existing one is fine."""
        try:
            if path.is_dir():
                return
        except OSError as error:  # a name that is too long, a folder above that lets nobody in
            raise OutputError(self._refusal(Step.MAKE_FOLDER, path, error)) from error
        self.make_folder(path.parent, private=private and path.parent != self.layout.root)
        with self.step(Step.MAKE_FOLDER, path):
            path.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
            if self.mode is not None and not private:
                path.chmod(self.mode | (self.mode & 0o444) >> 2)  # who may read may enter
        self.sync_folder(path.parent)

    def create(self, path: Path, *, private: bool = False) -> NewFile:
        """Open a file for writing that must not exist yet.

        Args:
            path: of the file; its folder exists.
            private: whether only the owner may read it (else the umask decides).
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with self.step(Step.CREATE, path):
            descriptor = os.open(path, flags, 0o600 if private else 0o666)
            if self.mode is not None and not private:
                os.fchmod(descriptor, self.mode)
            return NewFile(self, path, descriptor)

    def write_file(self, path: Path, content: bytes, *, private: bool = False) -> Written:
        """Write a whole new file and flush it to disk."""
        with self.create(path, private=private) as file:
            file.write(content)
        return file.written

    def replace_file(self, path: Path, content: bytes, *, private: bool = False) -> None:
        """Put a file in the place of another so that a reader sees the old or the new one, and make that durable."""
        fresh = unfinished(path)
        if fresh.exists():
            self.remove_file(fresh)
        self.write_file(fresh, content, private=private)
        with self.step(Step.REPLACE, fresh, path):
            fresh.replace(path)
        self.sync_folder(path.parent)

    def overwrite(self, path: Path, content: bytes) -> None:
        """Write into an existing file in place, keeping the file itself (it may be locked)."""
        with self.step(Step.OVERWRITE, path), path.open("r+b") as file:
            file.truncate()
            file.write(content)

    def sync_file(self, path: Path) -> None:
        """Flush a file to disk that was written by somebody else."""
        with self.step(Step.SYNC_FILE, path), path.open("rb") as file:
            os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Flush the names in a folder to disk."""
        with self.step(Step.SYNC_FOLDER, path):
            if os.name == "nt":  # Windows opens no folders; NTFS keeps its names in a journal
                return
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def exchange(self, path: Path, content: bytes, is_expected: Callable[[bytes | None], bool]) -> None:  # noqa: ARG002 - the lock
        """Put a file in the place of another, which only the run that holds the lock does.

        Args:
            path: of the file.
            content: that nobody else writes.
            is_expected: takes what stands there, None for nothing; asked where a lock can be lost.

        Raises:
            LockedError: something else stands there.
        """
        self.replace_file(path, content)

    def being_built(self, final: Path) -> Path:
        """Return the name that a snapshot or the record of a run has until it is whole."""
        return unfinished(final)

    def rename(self, source: Path, target: Path) -> None:
        """Give a finished folder its name, which is free, and make that durable."""
        with self.step(Step.RENAME, source, target):
            source.rename(target)
        self.sync_folder(target.parent)

    def move(self, source: Path, target: Path) -> None:
        """Let a finished file stand in another folder; its name is durable once that folder is flushed."""
        with self.step(Step.RENAME, source, target):
            source.rename(target)

    def link(self, source: Path, target: Path, *, private: bool = False) -> None:
        """Let a file that never changes stand under a second name; a copy where the file system has no links."""
        try:
            with self.step(Step.LINK, source, target):
                target.hardlink_to(source)
        except OutputError as error:
            if not means_no_links(error.__cause__):
                raise
            self._copy(source, target, private=private)

    def point(self, link: Path, target: Path) -> bool:
        """Let a relative symbolic link name `target`, swapped in one rename, and make that durable.

        Returns:
            Whether the file system has symbolic links; where not, nothing was changed.
        """
        fresh = unfinished(link)
        if fresh.is_symlink():
            self.remove_file(fresh)
        try:
            with self.step(Step.SYMLINK, fresh, target):
                fresh.symlink_to(target.relative_to(link.parent), target_is_directory=True)
        except OutputError as error:
            if not means_no_links(error.__cause__):
                raise
            return False
        with self.step(Step.REPLACE, fresh, link):
            fresh.replace(link)
        self.sync_folder(link.parent)
        return True

    def remove_file(self, path: Path) -> None:
        """Remove a file or a link."""
        with self.step(Step.REMOVE_FILE, path):
            path.unlink()

    def remove_tree(self, path: Path) -> None:
        """Remove a folder and what is in it, one step after the other."""
        for entry in sorted(path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                self.remove_tree(entry)
            else:
                self.remove_file(entry)
        with self.step(Step.REMOVE_FOLDER, path):
            path.rmdir()

    def remove_folders(self, folders: Sequence[Path]) -> None:
        """Remove folders so that each is there whole or not at all."""
        for folder in folders:
            doomed = removed(folder)
            if doomed.exists():
                self.remove_tree(doomed)
            self.rename(folder, doomed)
            self.remove_tree(doomed)

    def _copy(self, source: Path, target: Path, *, private: bool) -> None:
        with self.create(target, private=private) as file, self.step(Step.WRITE, target), source.open("rb") as original:
            shutil.copyfileobj(original, file, _BUFFER_BYTES)
