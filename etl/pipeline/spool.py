"""What a run has to remember of each id until its end, on disk, so that memory does not grow with the ids."""

from __future__ import annotations

import pickle
import tempfile
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_IN_MEMORY_BYTES = 1024 * 1024

T = TypeVar("T")


class Spool(Generic[T]):
    """Takes groups of things and gives them back in order, once for each reading.

    Its file has no name and vanishes with the program; whoever fills it has masked what goes in.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._groups = 0

    def add(self, group: Iterable[T]) -> None:
        """Take a group."""
        members = tuple(group)
        if members:
            pickle.dump(members, self._file, protocol=pickle.HIGHEST_PROTOCOL)
            self._groups += 1

    def groups(self) -> Iterator[tuple[T, ...]]:
        """Yield what was taken, group by group; nothing may be added meanwhile."""
        self._file.seek(0)
        for _ in range(self._groups):
            yield pickle.load(self._file)  # noqa: S301 - written above, by this program alone

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
