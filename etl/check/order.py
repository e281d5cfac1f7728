"""Whether rows stand in the order of the dataset, and whether two of them have one key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.keys import Bools, Int64s, Keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Order:
    """Compares each row with the one before it, also where that stood in an earlier chunk or file.

    Attributes:
        broken: whether a row stood before its predecessor; equal ones may then stand apart.
    """

    def __init__(self) -> None:
        self._last: list[pa.Array] | None = None
        self.broken = False

    def follow(self, columns: Sequence[pa.Array]) -> tuple[Bools, Bools]:
        """Take the next rows.

        Args:
            columns: what they are sorted by, the most significant first; a null is equal to nothing.

        Returns:
            For each row whether it should stand before its predecessor, and whether it equals it.
        """
        size = len(columns[0])
        known = self._last if self._last is not None else [column.slice(0, 1) for column in columns]
        first = self._last is None
        before, alike = np.zeros(size, dtype=np.bool_), np.ones(size, dtype=np.bool_)
        if not size:
            return before, ~alike
        for last, column in zip(known, columns, strict=True):
            all_rows = pa.concat_arrays([last, column])
            former, latter = all_rows.slice(0, size), all_rows.slice(1)
            before |= alike & _mask(pc.less(latter, former))
            alike &= _mask(pc.equal(latter, former))
        if first:  # it was compared with itself
            alike[0] = False
        self._last = [column.slice(size - 1, 1) for column in columns]
        self.broken = self.broken or bool(before.any())
        return before, alike


def _mask(values: pa.Array) -> Bools:
    mask: Bools = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False).astype(np.bool_)
    return mask


def joined(keys: Iterable[Keys]) -> Keys:
    """Put keys behind each other."""
    parts = [Keys.of(()), *keys]
    return Keys(high=np.concatenate([part.high for part in parts]), low=np.concatenate([part.low for part in parts]))


def taken(keys: Keys, at: Int64s | Bools) -> Keys:
    """Pick keys by position or by mask."""
    return Keys(high=keys.high[at], low=keys.low[at])


def sort_positions(keys: Keys) -> Int64s:
    """Return the positions of keys in the order that `Keys.find` needs; equal ones keep their order."""
    positions: Int64s = np.lexsort((keys.low, keys.high)).astype(np.int64)
    return positions


def repeated(keys: Keys) -> Int64s:
    """Return the positions of keys that stood before, in rising order."""
    order = sort_positions(keys)
    follows = np.zeros(len(keys), dtype=np.bool_)
    follows[1:] = ~taken(keys, order).last_of_each()[:-1]
    positions: Int64s = np.sort(order[follows])
    return positions
