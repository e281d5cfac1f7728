"""The rows of one table and month that belong to jobs: their jobs, their order, their keys, their filterings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl.check.cells import check_cells, tell_positions, tell_rows
from etl.check.findings import Kind, Scope
from etl.check.order import Order, joined, repeated
from etl.check.stream import Part, Stream, told
from etl.load.keys import Keys
from etl.schema.tables import CONNECTORS, FILTERING

if TYPE_CHECKING:
    from etl.check.jobs import Filterings, MonthJobs
    from etl.load.keys import Bools, Int64s
    from etl.schema.declare import Table

TWICE = "the key of {rows} stands in an earlier row too"
DISORDER = "{rows} should stand before the row in front (the order is created_at of the job, job_id, key)"
_POSITION = "filtering_index"


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthRows:
    """Rows of one table and month.

    Attributes:
        table: its declaration; not that of sync_jobs.
        month: of its files; None for those of undated jobs.
        stream: of the rows.
        jobs: of the month; None where these are not all known.
        filterings: of the month, filled by the rows of filtering; None where these are not all known.
        whole: whether no file of the rows is damaged.
    """

    table: Table
    month: str | None
    stream: Stream
    jobs: MonthJobs | None
    filterings: Filterings | None
    whole: bool


def check_children(scope: Scope, rows: MonthRows, jobs_stream: Stream) -> None:
    """Check the rows; `jobs_stream` are those of sync_jobs in the same month, to name a job by its rank."""
    if rows.jobs is None:
        for part in rows.stream.parts():
            check_cells(scope, rows.table.name, part, rows.month)
        return
    order, found_twice = Order(), False
    with_row = np.zeros(len(rows.jobs), dtype=np.bool_)
    for part in rows.stream.parts():
        check_cells(scope, rows.table.name, part, rows.month)
        places = rows.jobs.places_of(part.ids)
        tell_rows(
            scope, Kind.REFERENCE, rows.table, part, pa.array(places < 0), "{rows} belong to no job of this month"
        )
        of_jobs = Part(path=part.path, rows=part.rows.filter(pa.array(places >= 0)))
        places = places[places >= 0]
        with_row[places] = True
        _check_filterings(scope, rows, of_jobs, places)
        before, alike = order.follow([pa.array(rows.jobs.ranks_of(places)), *_other_keys(rows.table, of_jobs)])
        tell_rows(scope, Kind.ORDER, rows.table, of_jobs, pa.array(before), DISORDER)
        tell_rows(scope, Kind.DUPLICATE, rows.table, of_jobs, pa.array(alike), TWICE)
        found_twice = found_twice or bool(alike.any())
    if order.broken and not found_twice:
        # Only in order do equal keys follow each other.
        positions = repeated(joined(_keys(rows.table, part) for part in rows.stream.parts(rows.table.key)))
        tell_positions(scope, Kind.DUPLICATE, rows.table, rows.stream, positions, TWICE)
    if rows.table is CONNECTORS and rows.whole and not rows.stream.broken:
        _check_all_have_rows(scope, rows, rows.jobs.ranks_of(np.flatnonzero(~with_row)), jobs_stream)


def _other_keys(table: Table, part: Part) -> list[pa.Array]:
    return [part.rows[name].combine_chunks() for name in table.key if name != "job_id"]


def _keys(table: Table, part: Part) -> Keys:
    return Keys.of(map(repr, zip(*(part.rows[name].to_pylist() for name in table.key), strict=True)))


def _check_filterings(scope: Scope, rows: MonthRows, part: Part, places: Int64s) -> None:
    if rows.filterings is None or _POSITION not in rows.table.key:
        return
    index = part.rows[_POSITION].combine_chunks()
    if rows.table is FILTERING:
        rows.filterings.add(places, index)
        return
    there: Bools = rows.filterings.have(places, index)
    tell_rows(scope, Kind.REFERENCE, rows.table, part, pa.array(~there), "{rows} belong to no row of filtering")


def _check_all_have_rows(scope: Scope, rows: MonthRows, without: Int64s, jobs_stream: Stream) -> None:
    first = jobs_stream.at(int(without.min()), ("job_id",)) if without.size else None
    if first is not None:
        path, job = first
        detail = f"{{rows}} have no row in {rows.table.name}"
        scope.tell_rows(Kind.REFERENCE, path, detail, number=int(without.size), first=told(job))
