"""A bounded memory of what bytes became: the bytes of a configuration repeat from job to job of one connector."""

from __future__ import annotations

from typing import Generic, TypeVar

_V = TypeVar("_V")

_OVERHEAD = 512  # bytes that an entry takes beside its key, about


class Memory(Generic[_V]):
    """Remembers values by key, the lately used ones, in at most so many bytes.

    Two generations: when the young one is full it becomes the old one, and what was old and not asked for since is
    forgotten. That costs nothing on the way, and no step leaves it broken for another thread.

    >>> memory: Memory[int] = Memory(2200)
    >>> for number, key in enumerate("abcde"):
    ...     memory.put(key, number, len(key))
    >>> memory.get("a"), memory.get("e")
    (None, 4)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit // 2
        self._size = 0
        self._young: dict[object, tuple[_V, int]] = {}
        self._old: dict[object, tuple[_V, int]] = {}

    def get(self, key: object) -> _V | None:
        """Return what was put under a key; None where it was never put, or is forgotten."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self.put(key, *found)
        return found[0]

    def put(self, key: object, value: _V, size: int) -> None:
        """Remember a value.

        Args:
            key: immutable.
            value: not None.
            size: of the key and the value together, in bytes, about.
        """
        taken = size + _OVERHEAD
        if self._size + taken > self._limit:
            self._old, self._young, self._size = self._young, {}, 0
        self._size += taken
        self._young[key] = (value, size)
