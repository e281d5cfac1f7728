"""Where a dataset is: a folder of this machine, or an address in an object store, out of the text that names it.

An address becomes an `ObjectPath`, which has the part of pathlib's interface that datasets are read by. So everything
below takes it for a `Path`, as it is declared, and only what differs is asked for here.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from etl.errors import UsageError
from etl.load.layout import MANIFEST
from etl.load.objects.path import ObjectPath
from etl.load.objects.storage import ObjectStorage
from etl.load.storage import Storage
from etl.settings.extras import check_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from etl.load.objects.store import Store

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<key>.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LIBRARIES: Final = {"s3": ("fsspec", "s3fs"), "memory": ("fsspec",)}
"""What is promised: scheme → the libraries that it needs."""

T = TypeVar("T")
U = TypeVar("U")

_AT_ONCE = 16  # requests for small things
_LONGEST = 700  # bytes of a prefix: S3 takes names of 1024, and a dataset adds some
_STORES: dict[str, Store] = {}


def is_address(text: str) -> bool:
    """Tell whether a text is an address of anything, not a path."""
    return _ADDRESS.match(text) is not None


def located(given: str | Path) -> Path:
    """Return the path of a local folder as it stands, or that of a place in an object store.

    Raises:
        UsageError: it is an address of no store that datasets can be in, or a library is missing.
    """
    address = _ADDRESS.match(given) if isinstance(given, str) else None
    if address is None:
        return Path(given) if isinstance(given, str) else given
    scheme = address["scheme"].lower()
    if scheme not in _LIBRARIES:
        msg = f"{scheme}://... is an address that etl does not know: name a path, s3://bucket/prefix or memory://name"
        raise UsageError(msg)
    bucket, *parts = address["key"].rstrip("/").split("/")
    if not _BUCKET.fullmatch(bucket):  # it is not shown: a key may stand in its place
        msg = f"{scheme}://...: no name of a bucket follows; write it like s3://bucket/prefix, without credentials"
        raise UsageError(msg)
    key = "/".join([bucket, *parts])
    if any(part in {"", ".", ".."} for part in parts) or not key.isprintable() or len(key.encode()) > _LONGEST:
        msg = f"{scheme}://{bucket}/...: no usable prefix; write it like s3://bucket/prefix, {_LONGEST} bytes at most"
        raise UsageError(msg)
    check_libraries(f"{scheme}://", extra="s3", names=_LIBRARIES[scheme])
    return cast("Path", ObjectPath(_store(scheme), PurePosixPath(key)))


def _store(scheme: str) -> Store:
    if scheme not in _STORES:
        if scheme == "s3":
            from etl.load.objects.s3 import S3Store  # noqa: PLC0415 - needs the extra

            _STORES[scheme] = S3Store()
        else:
            from etl.load.objects.memory import MemoryStore  # noqa: PLC0415 - only for notebooks and tests

            _STORES[scheme] = MemoryStore()
    return _STORES[scheme]


def storage_of(root: Path, *, mode: int | None = None) -> Storage:
    """Return what writes to a dataset.

    Args:
        root: as `located` returns it.
        mode: permissions of new files that readers use, where files have some.
    """
    address = in_store(root)
    return Storage(root, mode=mode) if address is None else ObjectStorage(address)


def is_shared(root: Path) -> bool:
    """Tell whether other programs see the same dataset."""
    address = in_store(root)
    return address is None or address.store.is_shared


def in_store(path: object) -> ObjectPath | None:
    """Return a path as one in an object store; None where it is local."""
    return path if isinstance(path, ObjectPath) else None


def for_arrow(path: Path) -> Any:  # noqa: ANN401 - what pyarrow takes
    """Return what pyarrow reads a file by: its path, or the opened object."""
    return path if in_store(path) is None else path.open("rb")


def read_span(path: Path, start: int, size: int) -> bytes:
    """Read a part of a file."""
    address = in_store(path)
    if address is not None:
        return address.read_span(start, size)
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)


def sizes_in(folder: Path, files: Sequence[Path]) -> list[int | None]:
    """Return the sizes of files that stand directly in a folder; None for those that are not there."""
    address = in_store(folder)
    if address is None:
        return [path.stat().st_size if path.is_file() else None for path in files]
    sizes = {entry.name: entry.size for entry in address.store.entries(address.prefix)}
    return [sizes.get(path.name) for path in files]


def side_by_side(root: Path, do: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """Do something that reads a little with each of some things, in order; where reading is a request, many at once.

    Args:
        root: of the dataset, or something in it.
        do: is done; what it raises is raised when its turn comes.
        items: see there.
    """
    if in_store(root) is None:
        yield from map(do, items)
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="etl-read") as pool:
        yield from pool.map(do, items)


def is_there(folder: Path, manifest: str = MANIFEST) -> bool:
    """Tell whether a snapshot, a run's record or a batch exists.

    A folder has its name since it is whole. In a store, where nothing can be renamed, its manifest is written last and
    removed first, and makes it exist.
    """
    return folder.is_dir() if in_store(folder) is None else (folder / manifest).is_file()


def shown_pointer(root: Path) -> str:
    """Return where readers find what is published, for messages."""
    return f"{root}/latest" if in_store(root) is None else f"{root}/_latest.json"
