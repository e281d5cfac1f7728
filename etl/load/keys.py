"""Job ids as 128-bit hashes in sorted arrays: 16 bytes a job, looked up many at a time.

The hash is four times the multilinear one over 32-bit words, with weights drawn anew by each program: two ids meet
with a chance of 2^-128, whoever chose them (Lemire and Kaser, "Strongly universal string hashing is fast", 2014). So
keys mean nothing to another program, and are never written down.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
_Words: TypeAlias = npt.NDArray[np.uint64]
_Bytes: TypeAlias = npt.NDArray[np.uint8]

_WORD_BYTES = 4
_LANES = 4
_HALF = np.uint64(32)
_BLOCK = 8_192  # ids hashed at once, so that they stay in the processor's cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """Hashes of job ids: the two halves, one element each a job. Two ids do not meet in 128 bits."""

    high: _Words
    low: _Words

    @classmethod
    def of(cls, ids: Iterable[str] | pa.Array | pa.ChunkedArray) -> Keys:
        """Hash ids, in their order; none is null."""
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        if not isinstance(ids, pa.Array):
            ids = pa.array([job_id.encode("utf-8", "surrogatepass") for job_id in ids], pa.binary())
        high, low = np.empty(len(ids), np.uint64), np.empty(len(ids), np.uint64)
        for first in range(0, len(ids), _BLOCK):
            block = ids.slice(first, _BLOCK)
            high[first : first + len(block)], low[first : first + len(block)] = _hashed(block)
        return cls(high=high, low=low)

    def __len__(self) -> int:
        return len(self.high)

    def last_of_each(self) -> Bools:
        """Tell for each of sorted keys whether the next one differs."""
        last = np.ones(len(self), dtype=np.bool_)
        last[:-1] = (self.high[1:] != self.high[:-1]) | (self.low[1:] != self.low[:-1])
        return last

    def find(self, wanted: Keys) -> Int64s:
        """Return the position of each wanted key, -1 where there is none; `self` is sorted by (high, low)."""
        at = np.searchsorted(self.high, wanted.high)
        found = np.full(len(wanted), -1, dtype=np.int64)
        open_ = np.arange(len(wanted))
        while open_.size:
            open_ = open_[at[open_] < len(self)]
            open_ = open_[self.high[at[open_]] == wanted.high[open_]]
            hit = self.low[at[open_]] == wanted.low[open_]
            found[open_[hit]] = at[open_[hit]]
            open_ = open_[~hit]
            at[open_] += 1
        return found


def _hashed(texts: pa.Array) -> tuple[_Words, _Words]:
    """Return the two halves of the hash of each text."""
    _, offsets, content = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(content, np.uint8) if content is not None else np.empty(0, np.uint8)
    starts, sizes = ends[:-1], np.diff(ends)
    widths = -(-sizes // _WORD_BYTES)
    high, low = np.empty(len(texts), np.uint64), np.empty(len(texts), np.uint64)
    for width in np.unique(widths).tolist():
        at = np.flatnonzero(widths == width)
        words = _padded(data, starts[at], sizes[at], width * _WORD_BYTES).view("<u4").astype(np.uint64)
        weights = _weights(1 << (width + 1).bit_length())
        # The last weights stand alone and with the size: texts that differ in zeros at their end differ there.
        sums = words @ weights[:width] + sizes[at, None].astype(np.uint64) * weights[width] + weights[width + 1]
        lanes = sums >> _HALF
        high[at] = lanes[:, 0] << _HALF | lanes[:, 1]
        low[at] = lanes[:, 2] << _HALF | lanes[:, 3]
    return high, low


def _padded(data: _Bytes, starts: Int32s, sizes: Int32s, width: int) -> _Bytes:
    """Return texts as rows of one width, filled up with zeros."""
    size = int(sizes[0])
    if (sizes == size).all() and int(starts[-1] - starts[0]) == size * (len(starts) - 1):
        rows = np.zeros((len(starts), width), np.uint8)
        rows[:, :size] = data[starts[0] : starts[0] + size * len(starts)].reshape(len(starts), size)
        return rows
    columns = np.arange(width)
    there = columns < sizes[:, None]
    filled: _Bytes = np.where(there, data[np.where(there, starts[:, None] + columns, 0)], 0).astype(np.uint8)
    return filled


@cache
def _weights(words: int) -> _Words:
    """Return weights for so many words, a row each; those of fewer words are the first of them."""
    return np.random.PCG64(_seed()).random_raw(words * _LANES).reshape(words, _LANES)


@cache
def _seed() -> int:
    return secrets.randbits(128)
