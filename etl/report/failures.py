"""Errors by what they say, over time and by connector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.report.census import kinds_of
from etl.report.columns import codes_of
from etl.report.cube import Axes, joined_days, month_start
from etl.report.sums import Sums
from etl.report.texts import cut
from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS = ("when", "connector", "type", "kind")
_DAYS = 1200  # that stand for themselves


class Failures:
    """Counts the errors of the kinds that are shown.

    Args:
        kinds: normalized texts.
        axes: what they are counted by.
    """

    def __init__(self, kinds: Sequence[str], axes: Axes) -> None:
        self._kinds = tuple(kinds)
        self._axes = axes
        self._sums = Sums(_KEYS, ["one"])
        self._newest_of: dict[str, tuple[str, str]] = {}

    def add(self, jobs: pa.Table, derived: pa.Table) -> None:
        """Take jobs, in the order of their creation, and the same in the form of `derived`."""
        failed = pc.is_valid(jobs["error"])
        jobs, derived = jobs.filter(failed), derived.filter(failed)
        if not jobs.num_rows:
            return
        kinds = kinds_of(jobs["error"])
        texts = jobs["error"].to_pylist()
        self._sums.add(
            pa.table(
                {
                    "when": joined_days(derived["day"], month_start(self._axes.newest - _DAYS)),
                    "connector": codes_of(derived["connector_id"], self._axes.connectors),
                    "type": codes_of(derived["job_type"], self._axes.types),
                    "kind": codes_of(pa.chunked_array([[kinds[text] for text in texts]], pa.string()), self._kinds),
                    "one": derived["one"],
                }
            )
        )
        for text, job_id in zip(texts, jobs["job_id"].to_pylist(), strict=True):
            self._newest_of[kinds[text]] = (text, job_id)
        self._newest_of = {kind: self._newest_of[kind] for kind in self._kinds if kind in self._newest_of}

    def within(self, most_bytes: int, *, connectors: int) -> dict[str, Any]:
        """Return kinds and cells as JSON values.

        Args:
            most_bytes: where their text would be longer, cells are joined by month.
            connectors: how many of the known ones stay apart.
        """
        for days in (_DAYS, 400, 62, 0):
            cells = self._cells(month_start(self._axes.newest - days), connectors)
            if len(msgspec.json.encode(cells)) <= most_bytes:
                break
        return {
            "kinds": [
                {"text": kind, "example": cut(masked(text)), "job_id": job_id}
                for kind, (text, job_id) in ((kind, self._newest_of[kind]) for kind in self._kinds)
            ],
            **cells,
        }

    def _cells(self, by_day_from: int, connectors: int) -> dict[str, Any]:
        rows = self._sums.table()
        joined = Sums(_KEYS, ["one"])
        if rows is not None:
            apart = pa.array(np.minimum(rows["connector"].to_numpy(), connectors), pa.int32())
            when = joined_days(rows["when"], by_day_from)
            joined.add(rows.set_column(0, "when", when).set_column(1, "connector", apart))
        cells = joined.table()
        columns = {key: [] if cells is None else cells[key].to_pylist() for key in _KEYS}
        return {**columns, "jobs": [] if cells is None else cells["one"].to_pylist(), "by_day_from": by_day_from}
