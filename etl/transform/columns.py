"""Rows to Arrow columns: a row that many jobs share is converted once and then taken by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from etl.schema.arrow import ARROW_TYPES
from etl.schema.declare import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.schema.declare import Table
    from etl.transform.rows import Row

TIME = ARROW_TYPES[Kind.TIME]


def column_of(kind: Kind, cells: Sequence[Any]) -> pa.Array:
    """Return cells as a column; times are given as microseconds since the epoch."""
    if kind is Kind.TIME:
        return pa.array(cells, pa.int64()).cast(TIME)
    return pa.array(cells, ARROW_TYPES[kind])


class Gathered:
    """The rows of one table while they are gathered, job by job.

    Args:
        table: its declaration.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: list[Row] = []
        self._taken: list[int] = []
        self._counts: list[int] = []
        self._places: dict[int, range] = {}
        self._shared: list[object] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Add the rows of the next job.

        Args:
            rows: not to be changed any more; the same sequence, given again, is not converted again.
        """
        place = self._places.get(id(rows))
        if place is None:
            first = len(self._rows)
            self._rows.extend(rows)
            place = self._places[id(rows)] = range(first, len(self._rows))
            self._shared.append(rows)  # else another sequence could come to stand at its address
        self._taken.extend(place)
        self._counts.append(len(place))

    def owners(self) -> pa.Array:
        """Return for each row the number of its job, from 0."""
        return pa.array(np.repeat(np.arange(len(self._counts)), self._counts))

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns by name."""
        cells: Sequence[Sequence[Any]] = list(zip(*self._rows, strict=True)) or [()] * len(self._table.columns)
        columns = {
            column.name: column_of(column.kind, values)
            for column, values in zip(self._table.columns, cells, strict=True)
        }
        if len(self._taken) == len(self._rows):
            return columns
        taken = pa.array(self._taken, pa.int64())
        return {name: column.take(taken) for name, column in columns.items()}
