"""Sorted sources become one sorted stream of stretches, in bounded memory.

Each source has marks: how many bytes lie between which places in the order of the dataset. The marks of all sources
together say where to stop reading, so that what is in memory at once is a window of about one size, and of each source
one stretch at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from etl.errors import OutputError
from etl.load.layout import TMP
from etl.load.pool import give_back_unused
from etl.load.stretch import JOBS, UNDATED, Place, Stretch, merged, out_of_order
from etl.load.stretch_files import read_stretches, write_stretches
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from etl.load.manifest import StretchEntry
    from etl.load.storage import Storage

Read: TypeAlias = Callable[[Sequence[str]], Iterator[Stretch]]
"""Reads the rows of some tables, sync_jobs among them, in order."""

ALL_TABLES = tuple(table.name for table in TABLES)

MAX_SOURCES = 32
"""Sources that are read side by side; more are merged in rounds."""

WINDOW_BYTES = 2 << 20
"""In memory, of what is merged at once."""

STRETCH_JOBS = 64
STRETCH_BYTES = 1 << 18
"""Of what is written as one stretch, so that many sources can be read side by side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Some jobs of a source.

    Attributes:
        first: none of them stands before it.
        last: of them.
        bytes: that their rows take in memory, or nearly so.
    """

    first: Place
    last: Place
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Rows of jobs that no other source has.

    Attributes:
        marks: of all its jobs in order, at least one.
        read: gives the rows.
    """

    marks: tuple[Mark, ...]
    read: Read

    @property
    def first(self) -> Place:
        """No job stands before it."""
        return self.marks[0].first

    @property
    def last(self) -> Place:
        """The last job."""
        return self.marks[-1].last


def bounds_of(sources: Sequence[Source], window_bytes: int | None = None) -> list[Place]:
    """Return places at which to stop, so that about so many bytes lie between them; the last one is the end.

    Jobs are taken to be spread evenly over the time that a mark covers.

    Args:
        sources: that are to be merged.
        window_bytes: WINDOW_BYTES where it is None.
    """
    most = WINDOW_BYTES if window_bytes is None else window_bytes
    bounds: list[Place] = []
    pending = rate = 0.0
    at = 0
    for place, change, weight in sorted(step for source in sources for mark in source.marks for step in _steps(mark)):
        while rate > 0 and pending + rate * (place[0] - at) >= most:
            at += max(1, math.ceil((most - pending) / rate))
            bounds.append((at, ""))
            pending = 0
        pending += max(rate, 0) * (place[0] - at) + weight
        rate += change
        at = place[0]
        if pending >= most:
            bounds.append(place)
            pending = 0
    if sources:
        bounds.append(max(source.last for source in sources))
    return bounds


def _steps(mark: Mark) -> Iterator[tuple[Place, float, int]]:
    """Yield places with by how much the bytes in a microsecond change there, and bytes that lie in that very place."""
    (first, _), (last, _) = mark.first, mark.last
    if last in {first, UNDATED}:
        yield mark.last, 0.0, mark.bytes
    else:
        rate = mark.bytes / (last - first)
        yield (first, ""), rate, 0
        yield (last, ""), -rate, 0


def windows(sources: Sequence[Source], bounds: Sequence[Place], names: Sequence[str] = ALL_TABLES) -> Iterator[Stretch]:
    """Merge sources.

    Args:
        sources: whose jobs all differ.
        bounds: places in order, the last one at the end of the sources or behind it.
        names: of the tables, sync_jobs among them.

    Yields:
        For each bound the jobs up to it; none where there are none.

    Raises:
        OutputError: a file cannot be read, or its rows are not in order.
    """
    waiting = sorted(sources, key=lambda source: source.first, reverse=True)
    feeds: list[_Feed] = []
    for bound in bounds:
        while waiting and waiting[-1].first <= bound:
            feeds.append(_Feed(waiting.pop().read(names)))
        window = merged([part for feed in feeds for part in feed.take_through(bound)])
        feeds = [feed for feed in feeds if not feed.ended]
        if window is not None:
            yield window
        del window  # its memory is needed for the next one
        give_back_unused()  # what is freed lies scattered, and would stay beside what the next one takes


class _Feed:
    """What is read of one source, a stretch ahead."""

    def __init__(self, stretches: Iterator[Stretch]) -> None:
        self._stretches = stretches
        self._stretch: Stretch | None = None
        self._taken = 0
        self._last: Place | None = None
        self.ended = False

    def take_through(self, bound: Place) -> Iterator[Stretch]:
        """Yield the jobs that are left up to a place."""
        while (stretch := self._at_hand()) is not None:
            count = stretch.count_through(bound)
            if count > self._taken:
                yield stretch.cut(self._taken, count)
                self._taken = count
            if count < len(stretch):
                return
        self.ended = True

    def _at_hand(self) -> Stretch | None:
        """Return the stretch that is not taken whole."""
        while self._stretch is None or self._taken == len(self._stretch):
            self._stretch = next(self._stretches, None)
            if self._stretch is None:
                return None
            self._taken = 0
            if self._last is not None and self._stretch.place(0) < self._last:
                raise OutputError(out_of_order(JOBS))
            self._last = self._stretch.place(len(self._stretch) - 1)
        return self._stretch


def overlap(sources: Sequence[Source]) -> int:
    """Return how many sources there are at most at one place."""
    steps = sorted([(source.first, -1) for source in sources] + [(source.last, 1) for source in sources])
    most = now = 0
    for _, step in steps:
        now -= step
        most = max(most, now)
    return most


def limit_sources(
    storage: Storage,
    scratch: Path,
    sources: Sequence[Source],
    most: int = MAX_SOURCES,
    names: Sequence[str] = ALL_TABLES,
) -> list[Source]:
    """Merge groups of sources into files until few enough lie side by side.

    Args:
        storage: of the dataset.
        scratch: a folder that is removed afterwards.
        sources: any number.
        most: how many may lie side by side, at least 2.
        names: of the tables that will be read, sync_jobs among them.

    Raises:
        OutputError: a file cannot be read or written.
    """
    current = list(sources)
    while overlap(current) > most:
        current.sort(key=lambda source: source.first)
        groups = [current[first : first + most] for first in range(0, len(current), most)]
        current = [_merge_to_files(storage, scratch, group, names) for group in groups]
    return current


def _merge_to_files(storage: Storage, scratch: Path, sources: Sequence[Source], names: Sequence[str]) -> Source:
    folder = _new_scratch(storage, scratch)
    stretches = (part for window in windows(sources, bounds_of(sources), names) for part in small_stretches(window))
    written = write_stretches(storage, folder, stretches)
    return file_source(folder, written.stretches)


def small_stretches(stretch: Stretch) -> Iterator[Stretch]:
    """Cut a stretch into small ones."""
    upto = np.cumsum(stretch.job_bytes())
    first = 0
    while first < len(stretch):
        before = upto[first - 1] if first else 0
        fitting = int(np.searchsorted(upto, before + STRETCH_BYTES, side="right"))
        last = min(max(fitting, first + 1), first + STRETCH_JOBS, len(stretch))
        yield stretch.cut(first, last)
        first = last


def file_source(folder: Path, stretches: Sequence[StretchEntry]) -> Source:
    """Return a source of stretches on disk, at least one."""
    return Source(
        marks=tuple(Mark(first=entry.first.place, last=entry.last.place, bytes=entry.bytes) for entry in stretches),
        read=lambda names: read_stretches(folder, stretches, names),
    )


def _new_scratch(storage: Storage, scratch: Path) -> Path:
    """Make a folder below `scratch` that nobody has used."""
    storage.make_folder(scratch, private=True)
    folder = scratch / f"{sum(1 for _ in scratch.iterdir())}{TMP}"
    storage.make_folder(folder, private=True)
    return folder
