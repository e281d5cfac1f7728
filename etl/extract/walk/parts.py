"""Parts of all jobs, by what the list can filter for, and the order in which they are read.

A part that the list reaches to its end is whole, and so are all parts of it. One that it does not is split in every way
there is, since each filter misses other jobs: jobs without a job type, jobs without a connector.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from etl.extract.filters import JOB_TYPES, STATUSES, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.extract.filters import JobFilters
    from etl.extract.walk.found import Kind

DIMENSIONS = ("status", "job_type", "connector_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The jobs with certain properties; None stands for any, a missing one included.

    Attributes:
        job_types: what is wanted where `job_type` is None; empty for any.
    """

    status: str | None = None
    job_type: str | None = None
    connector_id: str | None = None
    job_types: tuple[str, ...] = ()

    def params(self) -> dict[str, str | int]:
        """Return the parameters of the list."""
        types = ",".join(self.job_types) if self.job_type is None else self.job_type
        named = {"status": self.status, "job_type": types or None, "connector_id": self.connector_id}
        return {name: value for name, value in named.items() if value is not None}

    def holds(self, kind: Kind) -> bool:
        """Tell whether the list finds jobs of a kind in this part."""
        return (
            self.status in {None, kind.status}
            and self.connector_id in {None, kind.connector_id}
            and (
                self.job_type == kind.job_type
                if self.job_type
                else not self.job_types or kind.job_type in self.job_types
            )
        )

    def open_dimensions(self) -> tuple[str, ...]:
        """Return the names of what is not fixed."""
        return tuple(name for name in DIMENSIONS if getattr(self, name) is None)

    def wider(self) -> Iterator[Part]:
        """Yield this part and all that it is a part of."""
        fixed = [name for name in DIMENSIONS if getattr(self, name) is not None]
        for kept in product((True, False), repeat=len(fixed)):
            part = self
            for name, keep in zip(fixed, kept, strict=True):
                part = part if keep else part.with_(name, None)
            yield part

    def with_(self, dimension: str, value: str | None) -> Part:
        """Return the part that has another value in a dimension."""
        if dimension == "status":
            return replace(self, status=value)
        return replace(self, job_type=value) if dimension == "job_type" else replace(self, connector_id=value)

    def __str__(self) -> str:
        said = [f"{name} {getattr(self, name)}" for name in DIMENSIONS if getattr(self, name) is not None]
        if self.job_types and self.job_type is None:
            said.append(f"job_type {' or '.join(self.job_types)}")
        return ", ".join(said) or "all jobs"


def roots_of(filters: JobFilters) -> list[Part]:
    """Return the parts that are wanted in all: one for each status and connector, since the list takes one of each."""
    types = tuple(sorted(filters.job_types))
    one_type = types[0] if len(types) == 1 else None
    return [
        Part(status=status, connector_id=connector, job_type=one_type, job_types=() if one_type else types)
        for status in (filters.statuses or (None,))
        for connector in (filters.connector_ids or (None,))
    ]


class Lattice:
    """Which part is to be read next.

    Unfinished jobs come first: they become finished ones while the walk goes on, never the reverse. Then wide parts
    before narrow ones, for what is whole need not be split.

    Args:
        roots: the parts that are wanted in all.
        status_last: split by status only what is split by job type and connector already: of these a job has the same
            all its life, so counts of then and now can be compared.
    """

    def __init__(self, roots: list[Part], *, status_last: bool = False) -> None:
        self._status_last = status_last
        self._whole: set[Part] = set()
        self._cut: list[Part] = []
        self._connectors: dict[str, None] = {}
        self._queue: list[tuple[tuple[object, ...], Part]] = []
        self._queued: set[Part] = set()
        for root in roots:
            self._push(root)

    def next(self) -> Part | None:
        """Return the part that is to be read next; None where all are."""
        while self._queue:
            _, part = heapq.heappop(self._queue)
            if self._whole.isdisjoint(part.wider()):
                return part
        return None

    def is_whole(self, part: Part) -> bool:
        """Tell whether a part, or one that it belongs to, was read to its end."""
        return not self._whole.isdisjoint(part.wider())

    def whole(self, part: Part) -> None:
        """Note that a part was read to its end."""
        self._whole.add(part)

    def cut(self, part: Part) -> None:
        """Note that the list ends before the part does."""
        self._cut.append(part)
        for dimension in self._splits(part):
            for value in self._values(part, dimension):
                self._push(part.with_(dimension, value))

    def cut_parts(self) -> tuple[Part, ...]:
        """Return the parts whose end the list does not reach."""
        return tuple(self._cut)

    def learn(self, connector_id: str) -> None:
        """Note that there is a connector, by which every part that is cut can be split."""
        if connector_id in self._connectors:
            return
        self._connectors[connector_id] = None
        for part in self._cut:
            if part.connector_id is None:
                self._push(part.with_("connector_id", connector_id))

    def _splits(self, part: Part) -> tuple[str, ...]:
        dimensions = part.open_dimensions()
        if self._status_last and dimensions != ("status",):
            return tuple(name for name in dimensions if name != "status")
        return dimensions

    def _values(self, part: Part, dimension: str) -> tuple[str, ...]:
        if dimension == "status":
            return STATUSES
        return tuple(self._connectors) if dimension == "connector_id" else part.job_types or JOB_TYPES

    def _push(self, part: Part) -> None:
        if part not in self._queued:
            self._queued.add(part)
            heapq.heappush(self._queue, (_rank(part), part))


def _rank(part: Part) -> tuple[object, ...]:
    dimensions = part.open_dimensions()
    places = [DIMENSIONS.index(name) for name in DIMENSIONS if name not in dimensions]
    names = tuple(getattr(part, name) or "" for name in DIMENSIONS)
    return part.status not in UNFINISHED, len(places), places, names, part.job_types
