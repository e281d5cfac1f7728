"""An opened dataset: one published state, whatever is published meanwhile."""

from __future__ import annotations

import html
import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.dataset.joins import jobs_with_connectors, latest_of_each_connector
from etl.load.layout import Layout
from etl.load.place import located
from etl.load.reader import Snapshot, published_snapshot
from etl.load.runs import read_runs
from etl.model import Outcome
from etl.schema.arrow import arrow_schema, table_named
from etl.schema.dictionary import source_of, type_name
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

Filter = tuple[str, str, Any]
"""A condition on a column: (name, operator, value); operators are == != < <= > >= in and not in."""


class Dataset:
    """A published dataset as it was when it was opened: runs that publish later do not change it.

    `ds["sync_jobs"]` is a DataFrame of the same types as `pandas.read_parquet("output/latest/sync_jobs")`: string,
    Int64, boolean and datetime64[us, UTC], with missing values as `pandas.NA` and `NaT`. Iterating gives the tables'
    names, as with a dictionary.
    """

    def __init__(self, root: Path, snapshot: Snapshot) -> None:
        self._root = root
        self._snapshot = snapshot

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables."""
        return tuple(table.name for table in TABLES)

    @property
    def run_id(self) -> str:
        """The run that published this state."""
        return self._snapshot.run_id

    @property
    def source(self) -> str:
        """The cluster that the jobs come from."""
        return self._snapshot.manifest.origin.source

    @property
    def published_at(self) -> datetime:
        """When this state was built (UTC)."""
        return self._snapshot.manifest.created_at

    def rows(self, table: str) -> int:
        """Return the number of a table's rows, without reading it.

        Raises:
            KeyError: there is no such table.
        """
        return self._snapshot.rows(self._known(table))

    @overload
    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        filters: Sequence[Filter] | None = None,
        as_: Literal["pandas"] = "pandas",
    ) -> pd.DataFrame: ...

    @overload
    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        filters: Sequence[Filter] | None = None,
        as_: Literal["arrow"],
    ) -> pa.Table: ...

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        filters: Sequence[Filter] | None = None,
        as_: Literal["pandas", "arrow"] = "pandas",
    ) -> pd.DataFrame | pa.Table:
        """Read a table, or a part of it.

        Args:
            table: its name.
            columns: those wanted, in this order; None for all.
            filters: conditions that all must hold, such as `[("status", "==", "error")]`; a missing value fulfils none.
            as_: "pandas" for a DataFrame, "arrow" for a `pyarrow.Table`.

        Raises:
            KeyError: there is no such table or column.
            ValueError: an operator is unknown, or a value does not fit its column.
            OutputError: a file cannot be read.
        """
        schema = arrow_schema(self._known(table))
        wanted = [self._known_column(schema, table, name) for name in (schema.names if columns is None else columns)]
        conditions = [self._known_column(schema, table, name) for name, _, _ in filters or ()]
        needed = list(dict.fromkeys([*wanted, *conditions]))
        chunks = (_filtered(chunk, filters) for chunk in self._snapshot.chunks(table, needed))
        empty = pa.schema([schema.field(name) for name in needed]).empty_table()
        rows = pa.concat_tables([empty, *chunks]).select(wanted).replace_schema_metadata(schema.metadata)
        return rows if as_ == "arrow" else rows.to_pandas()

    def jobs(self) -> pd.DataFrame:
        """Return the sync jobs joined with their connectors, one row a job.

        Beside the columns of both tables: `is_final`, `ended_at` (completed, else canceled), `duration_s` (from start
        to end) and `queue_s` (from creation to start), in seconds; clocks of different machines can make them negative;
        and `volume_mib`, which is `indexed_document_volume` where that can be in MiB, and missing where only bytes
        explain it (over 100 MiB a document). Lower volumes of jobs before 8.8 are in bytes too, and cannot be told.
        """
        return jobs_with_connectors(self["sync_jobs"], self["connectors"])

    def latest_jobs(self) -> pd.DataFrame:
        """Return the newest job of each connector, in the columns of `jobs`."""
        return latest_of_each_connector(self.jobs())

    def issues(self) -> pd.DataFrame:
        """Return the values that could not become their column's type, with where they stood."""
        return self["field_issues"]

    def runs(self) -> pd.DataFrame:
        """Return the runs that are on record, oldest first, with the number of ids by outcome.

        A record that cannot be read is left out, with a warning.

        Raises:
            OutputError: the records are another account's, or their folder cannot be read.
        """
        records = read_runs(Layout(self._root))
        for problem in records.damaged:
            warnings.warn(problem, stacklevel=2)
        columns = ["run_id", "state", "source", "started_at", "ended_at", "exit_code", "snapshot"]
        outcomes = [outcome.value for outcome in Outcome]
        rows = [
            {
                **{name: getattr(run, name) for name in columns},
                "state": run.state.value,
                **{name: run.outcomes.get(name, 0) for name in outcomes},
            }
            for run in records.runs
        ]
        dtypes = {
            **dict.fromkeys(["run_id", "state", "source", "snapshot"], "string"),
            **dict.fromkeys(["started_at", "ended_at"], "datetime64[us, UTC]"),
            **dict.fromkeys(["exit_code", *outcomes], "Int64"),
        }
        return pd.DataFrame(rows, columns=[*columns, *outcomes]).astype(dtypes)

    def describe(self, table: str) -> pd.DataFrame:
        """Return a table's columns with type, unit, source, meaning, and how many of its rows have a value.

        Raises:
            KeyError: there is no such table.
            OutputError: a file cannot be read.
        """
        declared = table_named(self._known(table))
        rows = self.read(table, as_="arrow")
        return pd.DataFrame(
            {
                "column": column.name,
                "type": type_name(column),
                "unit": column.unit,
                "values": rows.num_rows - rows[column.name].null_count,
                "source": source_of(declared, column).strip("`"),
                "description": column.description,
            }
            for column in declared.columns
        ).set_index("column")

    def keys(self) -> tuple[str, ...]:
        """Return the names of the tables, so that `dict(ds)` is all of them."""
        return self.tables

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.read(table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __contains__(self, table: object) -> bool:
        return table in self.tables

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.tables)

    def __repr__(self) -> str:
        head = f"Dataset of {self.source} in {self._root}, published {self.published_at:%Y-%m-%d %H:%M:%S} UTC"
        return "\n".join([head, *(f"  {name:<28}{self.rows(name):>12,} rows" for name in self.tables)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{name}</code></td><td>{self.rows(name):,}</td>"
            f"<td style='text-align:left'>{html.escape(table_named(name).description)}</td></tr>"
            for name in self.tables
        )
        where = html.escape(f"Dataset of {self.source} in {self._root}")
        return (
            f"<p><b>{where}</b><br>published {self.published_at:%Y-%m-%d %H:%M:%S} UTC by run {self.run_id}</p>"
            f"<table><thead><tr><th>table</th><th>rows</th><th>a row is</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def _known(self, table: str) -> str:
        if table not in self.tables:
            msg = f"no table {table!r}: choose one of {', '.join(self.tables)}"
            raise KeyError(msg)
        return table

    @staticmethod
    def _known_column(schema: pa.Schema, table: str, name: str) -> str:
        if name not in schema.names:
            msg = f"no column {name!r} in {table}: choose of {', '.join(schema.names)}"
            raise KeyError(msg)
        return name


def _filtered(chunk: pa.Table, filters: Sequence[Filter] | None) -> pa.Table:
    if not filters:
        return chunk
    try:
        return chunk.filter(pq.filters_to_expression([_readable(chunk, condition) for condition in filters]))
    except (pa.ArrowException, TypeError) as error:
        msg = f"filters: {error}"
        raise ValueError(msg) from error


def _readable(chunk: pa.Table, condition: Filter) -> Filter:
    """Let a time be given as text, with UTC where it names no zone."""
    name, operator, value = condition
    kind = chunk.schema.field(name).type
    if pa.types.is_timestamp(kind) and not isinstance(value, list | tuple | set):
        moment = pd.Timestamp(value)
        moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
        return name, operator, pc.cast(pa.scalar(moment), kind)
    return name, operator, value


def open_dataset(path: str | Path = "output") -> Dataset:
    """Open the dataset in a folder, pinned to what is published now.

    Args:
        path: the folder that `etl run --output` wrote to, or its address, such as s3://bucket/prefix.

    Raises:
        UsageError: it is an address of another kind, or a library that it needs is missing.
        OutputError: there is no dataset, or it cannot be read.
    """
    root = located(path)
    snapshot = published_snapshot(root)
    return Dataset(root, snapshot)
