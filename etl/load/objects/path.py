"""The address of an object or of a prefix, with the part of pathlib's interface by which datasets are read."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, NamedTuple

from etl.load.objects.reading import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl.load.objects.store import Store


class Size(NamedTuple):
    """What is told of an object, as `os.stat_result` does of a file."""

    st_size: int


class ObjectPath:
    """An object, or what stands below it: a folder exists as long as there is an object in it.

    Reading raises FileNotFoundError where there is no such object, and `StoreError` where the store refuses. It is
    pickled as its address: whoever reads it reaches the store by an environment of its own.
    """

    __slots__ = ("_key", "_store")

    def __init__(self, store: Store, key: PurePosixPath) -> None:
        self._store = store
        self._key = key

    @property
    def store(self) -> Store:
        """Where it stands."""
        return self._store

    @property
    def key(self) -> str:
        """The bucket, and the name of the object."""
        return str(self._key)

    @property
    def prefix(self) -> str:
        """What the keys of all objects below it begin with."""
        return f"{self._key}/"

    @property
    def name(self) -> str:
        """The last part."""
        return self._key.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket, and the parts of the name."""
        return self._key.parts

    @property
    def parent(self) -> ObjectPath:
        """What it stands in; that of a bucket is the bucket itself."""
        return self._at(self._key.parent) if len(self._key.parts) > 1 else self

    @property
    def parents(self) -> Sequence[ObjectPath]:
        """All that it stands in, the nearest first."""
        return [self._at(key) for key in self._key.parents if key.parts]

    def with_name(self, name: str) -> ObjectPath:
        """Return what stands beside it under another name."""
        return self._at(self._key.with_name(name))

    def relative_to(self, other: ObjectPath) -> PurePosixPath:
        """Return the way from another one that it stands in."""
        return self._key.relative_to(other._key)

    def absolute(self) -> ObjectPath:
        """Return itself: an address is always whole."""
        return self

    def exists(self) -> bool:
        """Tell whether it is an object or a folder."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Tell whether it is an object."""
        return len(self._key.parts) > 1 and self._store.size(self.key) is not None

    def is_dir(self) -> bool:
        """Tell whether an object stands below it."""
        return self._store.has_below(self.prefix)

    def is_symlink(self) -> bool:
        """Return False: a store has no links."""
        return False

    def stat(self) -> Size:
        """Return the size of the object."""
        size = self._store.size(self.key)
        if size is None:
            raise FileNotFoundError(2, "no such object", str(self))
        return Size(size)

    def iterdir(self) -> Iterator[ObjectPath]:
        """Yield what stands directly in it; nothing where it does not exist."""
        return (self / entry.name for entry in self._store.entries(self.prefix))

    def folders_with(self, name: str) -> set[str]:
        """Return the names of the folders in it that hold an object of that name."""
        keys = (PurePosixPath(key).relative_to(self._key).parts for key in self._store.below(self.prefix))
        return {parts[0] for parts in keys if parts[1:] == (name,)}

    def read_bytes(self) -> bytes:
        """Return the object."""
        return self._store.read(self.key)

    def read_span(self, start: int, size: int) -> bytes:
        """Return a part of an object that never changes, and that is soon asked for other parts."""
        return self._store.read_span(self.key, start, size)

    def open(self, mode: str = "rb", buffering: int = -1) -> IO[bytes]:  # noqa: ARG002 - as for a file
        """Open the object for reading bytes, from any place on."""
        if mode != "rb":
            raise io.UnsupportedOperation(mode)
        return opened(self._store, self.key)

    def _at(self, key: PurePosixPath) -> ObjectPath:
        return ObjectPath(self._store, key)

    def __truediv__(self, name: str) -> ObjectPath:
        return self._at(self._key / name)

    def __str__(self) -> str:
        return f"{self._store.scheme}://{self._key}"

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: ObjectPath) -> bool:
        return (self._store.scheme, self._key.parts) < (other._store.scheme, other._key.parts)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        from etl.load.place import located  # noqa: PLC0415 - which makes addresses out of texts

        return located, (str(self),)
