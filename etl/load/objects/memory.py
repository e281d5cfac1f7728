"""Objects in the memory of this program, those of fsspec's `memory://`: for tests and notebooks."""

from __future__ import annotations

import hashlib
from functools import cached_property
from threading import RLock
from time import time
from typing import IO, TYPE_CHECKING

from etl.load.objects.store import Entry, Tagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsspec.implementations.memory import MemoryFileSystem

_ONE_AT_A_TIME = RLock()  # readers of one object share a position there, and conditions must hold until it is written


class MemoryStore:
    """The memory of this program."""

    scheme = "memory"
    is_shared = False

    def __init__(self) -> None:
        self.has_conditions = True

    def check(self, key: str) -> None:
        """Do nothing: every bucket is there."""

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        with _ONE_AT_A_TIME:
            return len(self.read(key)) if self._files.isfile(key) else None

    def read(self, key: str) -> bytes:
        """Return an object."""
        with _ONE_AT_A_TIME:
            content: bytes = self._files.cat_file(key)
            return content

    def read_part(self, key: str, first: int, count: int) -> tuple[bytes, int]:
        """Return up to so many bytes of an object from a place on, and its size."""
        content = self.read(key)
        return content[first : first + count], len(content)

    def read_span(self, key: str, start: int, size: int) -> bytes:
        """Return a part of an object."""
        return self.read(key)[start : start + size]

    def read_tagged(self, key: str) -> Tagged:
        """Return an object with its tag."""
        with _ONE_AT_A_TIME:
            content = self.read(key)
            written = self._files.created(key).timestamp()
        return Tagged(content=content, tag=hashlib.sha256(content).hexdigest(), age_s=time() - written)

    def entries(self, prefix: str) -> list[Entry]:
        """Return what stands directly below a prefix, which ends with a slash."""
        found: dict[str, int | None] = {}
        for key in self.below(prefix):
            name, slash, _ = key.removeprefix(prefix).partition("/")
            found[name] = None if slash else self.size(key)
        return [Entry(name=name, size=size) for name, size in found.items()]

    def below(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below a prefix, which ends with a slash."""
        with _ONE_AT_A_TIME:
            keys = [key.lstrip("/") for key in self._files.store]
        yield from sorted(key for key in keys if key.startswith(prefix))

    def has_below(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, which ends with a slash."""
        return next(self.below(prefix), None) is not None

    def put(self, key: str, content: bytes) -> None:
        """Write an object whole, in the place of another."""
        with _ONE_AT_A_TIME:
            self._files.pipe_file(key, bytes(content))

    def put_file(self, key: str, file: IO[bytes], size: int) -> None:
        """Write so many bytes of a file as an object, in the place of another."""
        self.put(key, file.read(size))

    def put_if(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write an object where there is none (`tag` is None), or in the place of the one with the tag."""
        with _ONE_AT_A_TIME:
            found = None if self.size(key) is None else self.read_tagged(key).tag
            if found != tag:
                return None
            self.put(key, content)
            return self.read_tagged(key).tag

    def copy(self, source: str, target: str) -> None:
        """Copy an object."""
        with _ONE_AT_A_TIME:
            self.put(target, self.read(source))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are missing are no matter."""
        with _ONE_AT_A_TIME:
            for key in list(keys):
                if self._files.isfile(key):
                    self._files.rm_file(key)

    @cached_property
    def _files(self) -> MemoryFileSystem:
        from fsspec.implementations.memory import MemoryFileSystem  # noqa: PLC0415 - needs the extra

        return MemoryFileSystem()
