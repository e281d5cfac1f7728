"""The jobs of one month by hash: where rows of other tables find the job that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from etl.check.order import joined, sort_positions, taken
from etl.load.keys import Bools, Int64s, Keys

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MonthJobs:
    """Jobs of a month, each once.

    Attributes:
        keys: sorted.
        ranks: of each key, the position of the job among the rows of sync_jobs of the month.
    """

    keys: Keys
    ranks: Int64s

    @classmethod
    def of(cls, keys: Keys) -> Self:
        """Take jobs in the order of their rows."""
        order = sort_positions(keys)
        order = order[taken(keys, order).last_of_each()]
        return cls(keys=taken(keys, order), ranks=order)

    def __len__(self) -> int:
        return len(self.keys)

    def places_of(self, ids: pa.Array) -> Int64s:
        """Return the position in `keys` of the job of each row, -1 for those of no job of the month."""
        # Rows of one job follow each other: each id is hashed once.
        encoded = ids.dictionary_encode()
        places = self.keys.find(Keys.of(encoded.dictionary.to_pylist()))
        of_rows: Int64s = places[encoded.indices.to_numpy(zero_copy_only=False)]
        return of_rows

    def ranks_of(self, places: Int64s) -> Int64s:
        """Return the ranks at positions in `keys`, all of them 0 or more."""
        return self.ranks[places]


class Filterings:
    """The filterings of a month's jobs, for the rows that refer to them."""

    def __init__(self) -> None:
        self._parts: list[Keys] = []
        self._sorted: Keys | None = None

    def add(self, places: Int64s, index: pa.Array) -> None:
        """Take rows of filtering: positions of their jobs, and their filtering_index."""
        self._parts.append(_pairs(places, index))

    def have(self, places: Int64s, index: pa.Array) -> Bools:
        """Tell for rows of another table whether the filtering that they name is there; all must be added before."""
        if self._sorted is None:
            keys = joined(self._parts)
            self._sorted = taken(keys, sort_positions(keys))
        found: Bools = self._sorted.find(_pairs(places, index)) >= 0
        return found


def _pairs(places: Int64s, index: pa.Array) -> Keys:
    numbers = index.fill_null(-1).to_numpy(zero_copy_only=False)
    return Keys(high=places.astype(np.uint64), low=numbers.astype(np.uint64))
