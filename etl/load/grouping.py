"""Months into groups of about as many jobs each, with the time that each group covers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etl.load.stretch import month_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.load.keys import Int64s

_PLAIN = re.compile(r"\d{4}-\d{2}")  # sorts as text as it does in time


class Span(NamedTuple):
    """A time, in microseconds since 1970: from `first` up to `end`; None where there is no bound.

    Undated jobs are the last: they belong to a span without an end.
    """

    first: int | None
    end: int | None

    def meets(self, first: int, last: int) -> bool:
        """Tell whether one of two times may lie in it, or one between them."""
        return (self.end is None or first < self.end) and (self.first is None or last >= self.first)

    def within(self, times: Int64s) -> tuple[int, int]:
        """Return from where up to where sorted times lie in it."""
        first = 0 if self.first is None else int(np.searchsorted(times, self.first))
        return first, len(times) if self.end is None else int(np.searchsorted(times, self.end))


EVER = Span(None, None)


def grouped(jobs: Mapping[str | None, int], most: int) -> list[tuple[tuple[str | None, ...], Span]]:
    """Cut months into groups that follow each other.

    Args:
        jobs: by month, how many will stand there, about.
        most: groups, at most.

    >>> (early, before), (late, after) = grouped({"2026-09": 5, "2026-11": 5, None: 1}, 2)
    >>> early, late, before, after
    (('2026-09',), ('2026-11', None), Span(first=None, end=1793491200000000), Span(first=1793491200000000, end=None))
    """
    months = sorted(jobs, key=month_order)
    if most <= 1 or not all(month is None or _PLAIN.fullmatch(month) for month in months):
        return [(tuple(months), EVER)] if months else []
    size = sum(jobs.values()) / most
    groups: list[list[str | None]] = []
    before, taken = 0.0, 0
    for month in months:
        # The month in whose middle a border lies stands on the side where more of it lies.
        number = int((before + jobs[month] / 2) / size) if size else 0
        before += jobs[month]
        if not groups or (number > taken and month is not None):
            groups.append([])
            taken = number
        groups[-1].append(month)
    borders = [None, *(_start(str(group[0])) for group in groups[1:]), None]
    return [(tuple(group), Span(borders[n], borders[n + 1])) for n, group in enumerate(groups)]


def _start(month: str) -> int:
    return int(np.datetime64(month, "us").astype(np.int64))
