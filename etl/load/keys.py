"""Job ids as 128-bit hashes in sorted arrays: 16 bytes a job, looked up many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
_Words: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """Hashes of job ids: the two halves, one element each a job. Two ids do not meet in 128 bits."""

    high: _Words
    low: _Words

    @classmethod
    def of(cls, ids: Iterable[str]) -> Keys:
        """Hash ids, in their order."""
        digests = b"".join(blake2b(job_id.encode("utf-8", "surrogatepass"), digest_size=16).digest() for job_id in ids)
        words = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
        return cls(high=words[:, 0].astype(np.uint64), low=words[:, 1].astype(np.uint64))

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
