"""The rows of a batch, gathered from both paths in the order of the documents, to tables in their exact schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from etl.schema.arrow import ARROW_TYPES, arrow_schema, table_named
from etl.schema.tables import CONNECTOR_CONFIGURATION, CONNECTORS, FIELD_ISSUES, SYNC_JOBS, TABLES
from etl.transform.columns import TIME, Gathered
from etl.transform.fast import BELOW, PART_PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etl.schema.declare import Table
    from etl.transform.fast import Became
    from etl.transform.rows import Row
    from etl.transform.scalars import Scalars

_ONE_ROW = (SYNC_JOBS, CONNECTORS)  # tables with one row a job


def _columns_of(path: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """Return the table of one row a job that a part has cells in, and the columns; None where it has none."""
    for table in _ONE_ROW:
        sources = {column.name: (*(table.node or ()), *column.source) for column in table.columns if column.source}
        names = [name for name, source in sources.items() if source[: len(path)] == path]
        if names:
            deeper = any(len(sources[name]) > len(path) for name in names)
            return table.name, (*names, *(["extra_json"] if deeper else []))
    return None


_CELLS: Final = [(number, *found) for number, path in enumerate(PART_PATHS) if (found := _columns_of(path)) is not None]


class Gathering:
    """Gathers the rows of a batch, job by job.

    Args:
        scalars: of the documents that fit.
    """

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars
        self._ids: list[str] = []
        self._fast: list[int] = []  # numbers of documents that took the fast path
        self._is_fast: list[bool] = []
        self._cells = [Gathered(table_named(name)) for _, name, _ in _CELLS]
        self._tolerant = {table.name: Gathered(table) for table in _ONE_ROW}
        self._below = {table.name: Gathered(table) for table in TABLES if table not in _ONE_ROW}

    def add_fast(self, number: int, job_id: str, became: Became) -> None:
        """Add a job that took the fast path.

        Args:
            number: of its document among those that fit.
            job_id: of the job.
            became: its parts.
        """
        self._ids.append(job_id)
        self._is_fast.append(True)
        self._fast.append(number)
        parts = became.parts
        for (part, table, _), cells in zip(_CELLS, self._cells, strict=True):
            cells.add(parts[part].rows[table])
        for table, part in BELOW:
            self._below[table].add(parts[part].rows[table])
        self._below[CONNECTOR_CONFIGURATION.name].add(became.configuration.rows)
        self._below[FIELD_ISSUES.name].add(became.issues)

    def add_tolerant(self, job_id: str, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add a job that took the tolerant path, with its rows by table."""
        self._ids.append(job_id)
        self._is_fast.append(False)
        for name, gathered in (*self._tolerant.items(), *self._below.items()):
            gathered.add(rows[name])

    def tables(self, fetched: Sequence[int]) -> dict[str, pa.Table]:
        """Return all tables.

        Args:
            fetched: when each job's document was received, in microseconds since the epoch.
        """
        columns = {table.name: self._one_row(table) for table in _ONE_ROW}
        columns |= {name: gathered.columns() for name, gathered in self._below.items()}
        created = columns[SYNC_JOBS.name]["created_at"]
        of_all_jobs = {
            "job_id": pa.array(self._ids, pa.string()),
            "created_month": pc.strftime(created, format="%Y-%m"),
            "fetched_at": pa.array(fetched, pa.int64()).cast(TIME),
        }
        made = {}
        for table in TABLES:
            schema = arrow_schema(table.name)
            owners = None if table in _ONE_ROW else self._below[table.name].owners()
            for name, column in of_all_jobs.items():
                if name in schema.names:
                    columns[table.name][name] = column if owners is None else column.take(owners)
            made[table.name] = pa.Table.from_arrays([columns[table.name][name] for name in schema.names], schema=schema)
        return made

    def _one_row(self, table: Table) -> dict[str, pa.Array]:
        """Return the columns of a table of one row a job, of both paths."""
        fast = self._fast_columns(table)
        tolerant = self._tolerant[table.name].columns()
        if not self._fast or len(self._fast) == len(self._ids):
            return fast if self._fast else tolerant
        is_fast = pa.array(self._is_fast)
        before = pc.cumulative_sum(is_fast.cast(pa.int64()))  # of the fast path, up to each job and with it
        after = pc.add(pc.cumulative_sum(pc.invert(is_fast).cast(pa.int64())), len(self._fast))
        order = pc.subtract(pc.if_else(is_fast, before, after), 1)
        return {name: pa.concat_arrays([fast[name], tolerant[name]]).take(order) for name in fast}

    def _fast_columns(self, table: Table) -> dict[str, pa.Array]:
        columns = {column.name: pa.nulls(len(self._fast), ARROW_TYPES[column.kind]) for column in table.columns}
        scalars = self._scalars.columns[table.name]
        columns |= scalars
        if len(self._fast) < self._scalars.count:
            taken = pa.array(self._fast, pa.int64())
            columns |= {name: column.take(taken) for name, column in scalars.items()}
        for (_, name, names), cells in zip(_CELLS, self._cells, strict=True):
            if name == table.name:
                found = cells.columns()
                columns |= {column: found[column] for column in names}
        return columns
