"""Changes to a dataset in an object store, by the steps of `Storage`: each is a request, whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from etl.errors import LockedError, OutputError
from etl.load.layout import BATCH_MANIFEST, MANIFEST, Layout
from etl.load.steps import Step
from etl.load.storage import NewFile, Storage, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from etl.load.objects.lease import Lease
    from etl.load.objects.path import ObjectPath

_PIECE_BYTES = 1 << 20
_AT_ONCE = 8  # copies by the store
_MANIFESTS = frozenset({MANIFEST, BATCH_MANIFEST})


class ObjectStorage(Storage):
    """All changes below one address.

    Folders do not exist, and nothing is renamed: what is built stands under its final name from the beginning, and its
    manifest, written last and removed first, makes it exist. A file is put whole when it is closed. Copies by the store
    run side by side; whatever makes them exist waits for all of them.

    Attributes:
        lease: of the run, which each step looks at; None where a worker or a reader without one writes.
    """

    after_full = "; what was fetched stays staged"

    def __init__(self, root: ObjectPath) -> None:
        self.mode = None
        self.layout = Layout(cast("Path", root))
        self.lease: Lease | None = None
        self._store = root.store
        self._pool: ThreadPoolExecutor | None = None
        self._copies: list[Future[None]] = []

    def __reduce__(self) -> tuple[object, tuple[ObjectPath]]:
        return type(self), (cast("ObjectPath", self.layout.root),)

    @property
    def lease_path(self) -> ObjectPath:
        """Where the lease of the dataset stands."""
        return cast("ObjectPath", self.layout.lock)

    @contextmanager
    def step(self, kind: Step, path: Path, target: Path | None = None) -> Iterator[None]:
        """Announce a change, look whether the run may still make any, and translate what goes wrong in it.

        Raises:
            LockedError: the lease has been lost.
            OutputError: the store refuses, or an object is missing.
        """
        if self.lease is not None:
            self.lease.check()
        with super().step(kind, path, target):
            yield

    def make_folder(self, path: Path, *, private: bool = False) -> None:  # noqa: ARG002 - whoever may read the bucket may
        """See that the bucket is there, and that the run may still make changes; there is nothing to make."""
        if self.lease is not None:
            self.lease.check()
        if path == self.layout.root:
            self._store.check(_key(path))

    def create(self, path: Path, *, private: bool = False) -> NewFile:  # noqa: ARG002 - as for a folder
        """Open an object for writing, which is there when it is closed."""
        with self.step(Step.CREATE, path):
            return _NewObject(self, path)

    def write_file(self, path: Path, content: bytes, *, private: bool = False) -> Written:  # noqa: ARG002 - as for a folder
        """Write a whole object, after everything that was begun before."""
        self.settle()
        with self.step(Step.WRITE, path):
            self._store.put(_key(path), content)
        return Written(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def put_file(self, path: Path, file: IO[bytes], size: int) -> None:
        """Write so many bytes of a file as an object."""
        with self.step(Step.WRITE, path):
            self._store.put_file(_key(path), file, size)

    def replace_file(self, path: Path, content: bytes, *, private: bool = False) -> None:  # noqa: ARG002 - as for a folder
        """Put an object in the place of another."""
        with self.step(Step.REPLACE, path):
            self._store.put(_key(path), content)

    def exchange(self, path: Path, content: bytes, is_expected: Callable[[bytes | None], bool]) -> None:
        """Put an object in the place of the one that is expected there, by a condition that the store looks at."""
        self.settle()
        if self.lease is not None:
            self.lease.confirm()
        with self.step(Step.REPLACE, path):
            try:
                found = self._store.read_tagged(_key(path))
            except FileNotFoundError:
                found = None
            expected = is_expected(None if found is None else found.content)
            if not expected or self._store.put_if(_key(path), content, None if found is None else found.tag) is None:
                msg = f"{path}: somebody has published since this run began; run again, what was fetched is adopted"
                raise LockedError(msg)

    def sync_file(self, path: Path) -> None:
        """Do nothing: what was put is durable."""

    def sync_folder(self, path: Path) -> None:  # noqa: ARG002 - as for a folder
        """Wait until everything that was begun is done."""
        self.settle()

    def being_built(self, final: Path) -> Path:
        """Return the final name itself: the manifest will make it exist."""
        return final

    def rename(self, source: Path, target: Path) -> None:
        """Copy what stands below one name to another, manifests last, and remove it there; nothing where both are one.

        That is done with batches, which are small, and of which several attempts may be written at once.
        """
        self.settle()
        if source == target:
            return
        with self.step(Step.RENAME, source, target):
            keys = list(self._store.below(_prefix(source)))
            if not keys:
                raise FileNotFoundError(2, "no such objects", str(source))
            moves = {key: f"{_key(target)}/{key.removeprefix(_prefix(source))}" for key in keys}
            last = [key for key in keys if key.rpartition("/")[2] in _MANIFESTS]
            for some in ([key for key in keys if key not in last], last):
                for key in some:
                    self._begin(key, moves[key])
                self.settle()
            self._store.delete(keys)

    def move(self, source: Path, target: Path) -> None:
        """Begin to let the store copy an object; whoever removes the folder of the first one waits for that."""
        with self.step(Step.RENAME, source, target):
            self._begin(_key(source), _key(target))

    def link(self, source: Path, target: Path, *, private: bool = False) -> None:  # noqa: ARG002 - as for a folder
        """Begin to let the store copy an object."""
        with self.step(Step.LINK, source, target):
            self._begin(_key(source), _key(target))

    def point(self, link: Path, target: Path) -> bool:  # noqa: ARG002 - as for a folder
        """Return False: a store has no links."""
        return False

    def remove_file(self, path: Path) -> None:
        """Remove an object."""
        self.settle()
        with self.step(Step.REMOVE_FILE, path):
            self._store.delete([_key(path)])

    def remove_tree(self, path: Path) -> None:
        """Remove what stands below a name."""
        self.settle()
        with self.step(Step.REMOVE_FOLDER, path):
            self._store.delete(self._store.below(_prefix(path)))

    def remove_folders(self, folders: Sequence[Path]) -> None:
        """Remove what exists by manifests, which go first; what stands beside each other is listed at once."""
        self.settle()
        by_parent: dict[Path, list[Path]] = defaultdict(list)
        for folder in folders:
            by_parent[folder.parent].append(folder)
        for parent, some in by_parent.items():
            with self.step(Step.REMOVE_FILE, some[0]):
                self._store.delete(f"{_prefix(folder)}{name}" for folder in some for name in _MANIFESTS)
            doomed = tuple(_prefix(folder) for folder in some)
            listed = _prefix(some[0] if len(some) == 1 else parent)
            with self.step(Step.REMOVE_FOLDER, some[0]):
                self._store.delete(key for key in self._store.below(listed) if key.startswith(doomed))

    def settle(self) -> None:
        """Wait for all copies that were begun.

        Raises:
            OutputError: one was refused, or its object is missing.
        """
        copies, self._copies = self._copies, []
        wait(copies)
        for copy in copies:
            copy.result()

    def _begin(self, source: str, target: str) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="etl-copy")
        self._copies.append(self._pool.submit(self._copy_object, source, target))

    def _copy_object(self, source: str, target: str) -> None:
        try:
            self._store.copy(source, target)
        except FileNotFoundError as error:
            msg = f"{self._store.scheme}://{source}: is not there, though a manifest names it; see `etl verify`"
            raise OutputError(msg) from error

    def _refusal(self, kind: Step, path: Path, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"{path}: cannot {kind}: no such object; run again, or see `etl verify`"
        return super()._refusal(kind, path, error)


class _NewObject(NewFile):
    """An object being written: it is kept in a local file without a name, and put when that is closed."""

    def __init__(self, storage: ObjectStorage, path: Path) -> None:
        super().__init__(storage, path, descriptor=-1)
        self._target = storage
        # Without a buffer of its own: closing it must not write once more where the disk is full.
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `abandon`

    def close(self) -> None:
        """Put the object.

        Raises:
            OutputError: the store refuses, or the local disk is full.
        """
        if self.closed:
            return
        try:
            self._drain()
            self._file.seek(0)
            self._target.put_file(self._path, self._file, self._size)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Forget what was written."""
        if not self.closed:
            self.closed = True
            self._file.close()

    def _drain(self) -> None:
        view = memoryview(bytes(self._buffer))
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            where = tempfile.gettempdir()
            msg = f"{where}: cannot hold what goes to {self._path}: {error.strerror}; make room there, or set TMPDIR"
            raise OutputError(msg) from error
        self._buffer.clear()


def _key(path: Path) -> str:
    return cast("ObjectPath", path).key


def _prefix(path: Path) -> str:
    return cast("ObjectPath", path).prefix
