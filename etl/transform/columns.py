"""Rows to Arrow columns: a row that many jobs share is converted once and then taken by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from etl.schema.arrow import ARROW_TYPES
from etl.schema.declare import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

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
        self._ends = [0]  # of each group of rows
        self._groups: list[int] = []  # of each job
        self._numbers: dict[int, int] = {}
        self._shared: list[object] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Add the rows of the next job.

        Args:
            rows: not to be changed any more; the same sequence, given again, is not converted again.
        """
        number = self._numbers.get(id(rows))
        if number is None:
            number = self._numbers[id(rows)] = len(self._shared)
            self._shared.append(rows)  # else another sequence could come to stand at its address
            self._rows.extend(rows)
            self._ends.append(len(self._rows))
        self._groups.append(number)

    def owners(self) -> pa.Array:
        """Return for each row the number of its job, from 0."""
        groups, _, counts = self._places()
        return pa.array(np.repeat(np.arange(len(groups)), counts))

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns by name."""
        cells: Sequence[Sequence[Any]] = list(zip(*self._rows, strict=True)) or [()] * len(self._table.columns)
        columns = {
            column.name: column_of(column.kind, values)
            for column, values in zip(self._table.columns, cells, strict=True)
        }
        groups, starts, counts = self._places()
        if len(groups) == len(self._shared):
            return columns
        before = np.cumsum(counts) - counts  # rows of the jobs before
        taken = pa.array(np.repeat(starts - before, counts) + np.arange(counts.sum()))
        return {name: column.take(taken) for name, column in columns.items()}

    def _places(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return for each job its group, where the group's rows begin, and how many they are."""
        groups = np.array(self._groups, dtype=np.int64)
        ends = np.array(self._ends, dtype=np.int64)
        starts = ends[groups]
        return groups, starts, ends[groups + 1] - starts
