"""Which ids have been seen, in 24 to 48 bytes each."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_WIDTH: Final = 16  # bytes of a digest: among a billion ids two meet with a chance of one to 10^20
_EMPTY: Final = bytes(_WIDTH)
_FIRST: Final = 1 << 10


class SeenIds:
    """A set of ids by their digests, in a table of open addresses, at most two thirds full.

    A set of Python's own takes three times the memory.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mask = _FIRST - 1
        self._table = bytearray(_FIRST * _WIDTH)

    def add(self, job_id: str) -> bool:
        """Add an id; true where it was not there."""
        digest = _digest(job_id)
        place = self._place(digest)
        if self._table[place : place + _WIDTH] == digest:
            return False
        self._table[place : place + _WIDTH] = digest
        self._count += 1
        if self._count * 3 > (self._mask + 1) * 2:
            self._grow()
        return True

    def __contains__(self, job_id: str) -> bool:
        digest = _digest(job_id)
        place = self._place(digest)
        return self._table[place : place + _WIDTH] == digest

    def __len__(self) -> int:
        return self._count

    def _place(self, digest: bytes) -> int:
        """Return where in the table a digest stands, or would."""
        slot = int.from_bytes(digest[:8], "little") & self._mask
        while (kept := self._table[slot * _WIDTH : (slot + 1) * _WIDTH]) != digest and kept != _EMPTY:
            slot = (slot + 1) & self._mask
        return slot * _WIDTH

    def _grow(self) -> None:
        old = self._table
        self._mask = 2 * self._mask + 1
        self._table = bytearray(2 * len(old))
        for begin in range(0, len(old), _WIDTH):
            digest = bytes(old[begin : begin + _WIDTH])
            if digest != _EMPTY:
                place = self._place(digest)
                self._table[place : place + _WIDTH] = digest


def _digest(job_id: str) -> bytes:
    return blake2b(job_id.encode("utf-8", "surrogatepass"), digest_size=_WIDTH).digest()
