"""Sums by key over a stream of rows: memory grows with the keys, not with the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

_PENDING_ROWS = 50_000  # rows of partial sums that may wait before they are summed again


class Sums:
    """Adds up columns of tables by the values of others; a missing key is a key like any other.

    Args:
        keys: names of the columns to group by.
        values: names of the columns to add up; missing values count as nothing.
    """

    def __init__(self, keys: Sequence[str], values: Sequence[str]) -> None:
        self._keys = list(keys)
        self._values = list(values)
        self._parts: list[pa.Table] = []
        self._pending = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows that have all the columns."""
        part = self._summed(rows)
        self._parts.append(part)
        self._pending += part.num_rows
        if self._pending >= _PENDING_ROWS:
            self._parts = [self._summed(pa.concat_tables(self._parts))]
            # What is left are keys; only as many again are worth another pass.
            self._pending = 0

    def table(self) -> pa.Table | None:
        """Return one row a key, sorted by the keys, missing ones first; None where nothing was added."""
        if not self._parts:
            return None
        whole = self._summed(pa.concat_tables(self._parts))
        self._parts, self._pending = [whole], 0
        order = [(key, "ascending") for key in self._keys]
        return whole.sort_by(order) if whole.num_rows else whole

    def _summed(self, rows: pa.Table) -> pa.Table:
        groups = rows.select([*self._keys, *self._values]).group_by(self._keys)
        summed = groups.aggregate([(value, "sum") for value in self._values])
        named = pa.table(
            {**{key: summed[key] for key in self._keys}, **{value: summed[f"{value}_sum"] for value in self._values}}
        )
        return named.combine_chunks()
