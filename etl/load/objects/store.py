"""What a dataset needs of an object store: few requests, each of which is whole or did not happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from etl.errors import EtlError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class StoreError(EtlError):
    """The store does not give what was asked for, and not since the object is missing.

    It is no `OutputError`: whoever takes one for damage of what cannot be read would be wrong here. The message carries
    place, cause and remedy.
    """

    exit_code = ExitCode.OUTPUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """An object at one moment.

    Attributes:
        content: of it.
        tag: changes whenever the content does.
        age_s: seconds since it was written, by the store's own clock.
    """

    content: bytes
    tag: str
    age_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What stands directly below a prefix: an object with its size, or a further prefix, whose size is None."""

    name: str
    size: int | None


class Store(Protocol):
    """A store, reached by this program; all threads may use it at once.

    A key is the name of the bucket, a slash, and the name of the object. Every method raises `StoreError` where the
    store refuses, and those that read one object FileNotFoundError where it is missing.
    """

    scheme: str
    """In addresses, before `://`."""

    is_shared: bool
    """Whether other programs see the same objects."""

    has_conditions: bool
    """Whether the store itself looks at the conditions of `put_if`; set to False where it turns out that it does not,
    and then they are looked at here, just before."""

    def check(self, key: str) -> None:
        """Look whether the bucket of a key is there, and may be listed."""

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""

    def read(self, key: str) -> bytes:
        """Return an object."""

    def read_part(self, key: str, first: int, count: int) -> tuple[bytes, int]:
        """Return up to so many bytes of an object from a place on, and its size."""

    def read_span(self, key: str, start: int, size: int) -> bytes:
        """Return a part of an object that never changes; a small one may be read whole and kept for a while."""

    def read_tagged(self, key: str) -> Tagged:
        """Return an object with its tag."""

    def entries(self, prefix: str) -> list[Entry]:
        """Return what stands directly below a prefix, which ends with a slash."""

    def below(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below a prefix, which ends with a slash."""

    def has_below(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, which ends with a slash."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object whole, in the place of another."""

    def put_file(self, key: str, file: IO[bytes], size: int) -> None:
        """Write so many bytes of a file as an object, in the place of another; memory holds a piece of it at a time."""

    def put_if(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write an object where there is none (`tag` is None), or in the place of the one with the tag.

        Args:
            key: of the object.
            content: that nobody else writes, so that it can be told whose it is.
            tag: of the one before.

        Returns:
            The new tag; None where it was not so, and nothing is written.
        """

    def copy(self, source: str, target: str) -> None:
        """Let the store copy an object: nothing of it passes this program."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are missing are no matter."""
