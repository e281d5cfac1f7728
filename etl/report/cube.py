"""Sums of jobs by time, connector and type: what the page adds up again for the selection that a reader makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from etl.report.bins import FINEST, coarser
from etl.report.columns import codes_of
from etl.report.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS = ("when", "connector", "type")
_MEASURES = ("documents", "deleted", "volume", "odd")
_EPOCH = date(1970, 1, 1)
_LEAST_BYTES = {"status": 10, "duration": 2, "queue": 2}  # that a row takes in the page


class Grain(NamedTuple):
    """How finely a cube is cut.

    Attributes:
        steps: bins an octave of durations.
        days: that stand for themselves, back from the newest to the beginning of a month; those before are months.
        connectors: how many of the known ones are apart; the others are one.
    """

    steps: int
    days: int
    connectors: int


_LADDER = tuple(
    Grain(*grain)
    for grain in (
        (64, 1200, 60), (32, 1200, 60), (16, 1200, 60), (16, 400, 60), (8, 400, 60), (8, 200, 60), (8, 92, 60),
        (8, 62, 40), (8, 31, 20), (4, 31, 20), (4, 31, 10), (4, 0, 10),
    )
)  # fmt: skip
"""From fine to coarse: what a reader misses least goes first."""

_ENOUGH_JOBS = ((100_000, 0), (400_000, 2))
"""Up to so many jobs, the rung of the ladder on which they are added up."""

_RUNG_OF_MORE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """What jobs are added up by.

    Attributes:
        connectors: ids that are apart; () adds up over all.
        types: job types that are apart.
        statuses: that are apart.
        newest: day (since 1970) of the newest job.
    """

    connectors: Sequence[str | None]
    types: Sequence[str | None]
    statuses: Sequence[str | None]
    newest: int


class Cube:
    """Adds up jobs by time, connector and type.

    Args:
        axes: what jobs are added up by.
        jobs: how many there will be; of many, no more is kept than the page could hold.
    """

    def __init__(self, axes: Axes, jobs: int) -> None:
        self._axes = axes
        self._rung = next((rung for most, rung in _ENOUGH_JOBS if jobs <= most), _RUNG_OF_MORE)
        self._finest = _LADDER[self._rung]
        self._counts = Sums([*_KEYS, "status"], ["one", *_MEASURES])
        self._durations = Sums([*_KEYS, "duration"], ["one"])
        self._queues = Sums([*_KEYS, "queue"], ["one"])

    def add(self, jobs: pa.Table) -> None:
        """Take jobs in the form of `derived`."""
        rows = pa.table(
            {
                "when": joined_days(jobs["day"], self._by_day_from(self._finest)),
                "connector": codes_of(jobs["connector_id"], self._axes.connectors),
                "type": codes_of(jobs["job_type"], self._axes.types),
                "status": codes_of(jobs["status"], self._axes.statuses),
                **{name: jobs[name] for name in ("one", *_MEASURES)},
                **{name: coarser(jobs[name], FINEST // self._finest.steps) for name in ("duration", "queue")},
            }
        )
        self._counts.add(rows)
        self._durations.add(rows.filter(rows["duration"].is_valid()))
        self._queues.add(rows.filter(rows["queue"].is_valid()))

    def within(self, most_bytes: int) -> dict[str, Any]:
        """Return the cells as JSON values whose text is no longer than that, cut as finely as it allows.

        The ladder ends; a history of very many years may stay longer.
        """
        for grain in _LADDER[self._rung :]:
            tables = self._tables(grain)
            # Whole rows become Python values only where they have a chance.
            least = sum(_LEAST_BYTES[name] * rows.num_rows for name, rows in tables.items() if rows is not None)
            if least <= most_bytes or grain is _LADDER[-1]:
                cells = self._cells(grain, tables)
                if len(msgspec.json.encode(cells)) <= most_bytes:
                    break
        return cells

    def _tables(self, grain: Grain) -> dict[str, pa.Table | None]:
        return {
            "status": self._regrained(self._counts, grain, "status", ("one", *_MEASURES)),
            "duration": self._regrained(self._durations, grain, "duration", ("one",)),
            "queue": self._regrained(self._queues, grain, "queue", ("one",)),
        }

    def _by_day_from(self, grain: Grain) -> int:
        return month_start(self._axes.newest - grain.days)

    def _cells(self, grain: Grain, tables: dict[str, pa.Table | None]) -> dict[str, Any]:
        """Return the cells in columns, sorted by time (undated first), connector and type."""
        counts = tables["status"]
        cells: dict[tuple[Any, ...], dict[str, Any]] = {}
        empty = [0] * (len(self._axes.statuses) + 1)
        for row in counts.to_pylist() if counts is not None else ():
            cell = cells.setdefault(
                tuple(row[key] for key in _KEYS),
                {"statuses": empty.copy(), **dict.fromkeys(_MEASURES, 0), "duration": [], "queue": []},
            )
            cell["statuses"][row["status"]] += row["one"]
            for name in _MEASURES:
                cell[name] += round(row[name])
        for name in ("duration", "queue"):
            bins = tables[name]
            last: dict[tuple[Any, ...], int] = {}
            for row in bins.to_pylist() if bins is not None else ():
                key = tuple(row[part] for part in _KEYS)
                gap = row[name] - last[key] - 1 if key in last else None
                # The first bin, then counts of it and those that follow; a negative number leaves out so many bins.
                cells[key][name] += [row[name]] if gap is None else [-gap] if gap else []
                cells[key][name].append(row["one"])
                last[key] = row[name]
        return {
            "by_day_from": self._by_day_from(grain),
            "steps": grain.steps,
            "connectors": min(grain.connectors, len(self._axes.connectors)),
            "when": [key[0] for key in cells],
            "connector": [key[1] for key in cells] if self._axes.connectors else [],
            "type": [key[2] for key in cells],
            "statuses": [[cell["statuses"][code] for cell in cells.values()] for code in range(len(empty))],
            **{name: [cell[name] for cell in cells.values()] for name in (*_MEASURES, "duration", "queue")},
        }

    def _regrained(self, sums: Sums, grain: Grain, last_key: str, values: Sequence[str]) -> pa.Table | None:
        """Return sums at a coarser grain, sorted."""
        rows = sums.table()
        if rows is None:
            return None
        last = rows[last_key]
        apart = min(grain.connectors, len(self._axes.connectors))
        joined = Sums([*_KEYS, last_key], values)
        joined.add(
            pa.table(
                {
                    "when": joined_days(rows["when"], self._by_day_from(grain)),
                    "connector": pa.array(np.minimum(rows["connector"].to_numpy(), apart), pa.int32()),
                    "type": rows["type"],
                    last_key: last if last_key == "status" else coarser(last, self._finest.steps // grain.steps),
                    **{name: rows[name] for name in values},
                }
            )
        )
        return joined.table()


def month_start(day: int) -> int:
    """Return the first day of a day's month, in days since 1970."""
    try:
        return ((_EPOCH + timedelta(days=day)).replace(day=1) - _EPOCH).days
    except OverflowError:  # beyond what dates can say
        return day


def joined_days(days: pa.ChunkedArray, by_day_from: int) -> pa.Array:
    """Replace days before that one by the first day of their month; null stays null."""
    missing = days.is_null().to_numpy()
    values = days.fill_null(by_day_from).to_numpy().copy()
    old = values < by_day_from
    found, places = np.unique(values[old], return_inverse=True)
    values[old] = np.array([month_start(int(day)) for day in found], values.dtype)[places] if len(found) else 0
    return pa.array(values, pa.int32(), mask=missing)
