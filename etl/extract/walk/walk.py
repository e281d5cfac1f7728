"""Every sync job that a cluster has, each once, by the list and, where that ends, by the index or by parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etl.errors import EtlError
from etl.extract.filters import UNFINISHED
from etl.extract.walk.asking import StoppedError
from etl.extract.walk.connectors import connector_ids
from etl.extract.walk.course import Course, Ending, Group, WalkSettings
from etl.extract.walk.found import NO_ID
from etl.extract.walk.parts import Lattice, Part, roots_of
from etl.extract.walk.trail import Order, Trail

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from etl.extract.filters import TimeOf
    from etl.extract.walk.asking import Asking
    from etl.extract.walk.course import Skips
    from etl.extract.walk.report import WalkReport
    from etl.model import Answer


class Walk:
    """Walks all sync jobs of a cluster that are wanted. Made for one walk: `answers` or `ids`, then `report`.

    Args:
        asking: asks the cluster.
        settings: how to walk, and what is wanted.
        time_of: reads times, by the rules of the tables.
        skips: tells of ids, in their order, which the caller does not want again; None wants all.
    """

    def __init__(self, asking: Asking, settings: WalkSettings, *, time_of: TimeOf, skips: Skips | None = None) -> None:
        self._asking = asking
        self._settings = settings
        self._time_of = time_of
        self._skips = skips
        self._course = self._make(ids_only=False)

    def answers(self) -> Iterator[tuple[Answer, ...]]:
        """Yield jobs as answers to requests for them, page by page, each once; nothing is raised, see `report`.

        What came without an id is there as a rejected answer.
        """
        for group in ended_by(self._course, whole_walk(self._course)):
            yield tuple(item.answer(at=group.at, elapsed_s=group.elapsed_s) for item in group.items)

    def ids(self) -> Iterator[tuple[str, ...]]:
        """Yield the ids alone, each once; the documents are not asked for. Nothing is raised, see `report`."""
        self._course = self._make(ids_only=True)
        for group in ended_by(self._course, whole_walk(self._course)):
            yield tuple(item.id for item in group.items if not item.id.startswith(NO_ID))

    def has_met(self, job_id: str) -> bool:
        """Tell whether a job was met, wanted or not."""
        return job_id in self._course.seen

    def report(self) -> WalkReport:
        """Return what the walk did so far."""
        return self._course.report()

    def _make(self, *, ids_only: bool) -> Course:
        return Course(self._asking, self._settings, self._time_of, skips=self._skips, ids_only=ids_only)


def ended_by(course: Course, groups: Iterator[Group]) -> Iterator[Group]:
    """Yield groups that hold something, and keep in the course what ended them."""
    try:
        for group in groups:
            if group.items:
                yield group
    except StoppedError:
        course.stopped = True
    except EtlError as error:
        course.fatal = error


def whole_walk(course: Course, roots: list[Part] | None = None) -> Generator[Group, None, None]:
    """Yield all jobs that are wanted.

    Args:
        course: of the walk.
        roots: the parts that are wanted in all; None for those of the filters.

    Raises:
        EtlError: see `Asking.ask`.
        StoppedError: see there.
    """
    roots = roots_of(course.settings.filters) if roots is None else roots
    if len(roots) > 1:
        course.begin(course.lister.first(Part()))
    lattice = Lattice(roots)
    cuts: dict[Part, Ending] = {}
    read = 0
    while (part := lattice.next()) is not None:
        seed = _seed(course, part, cuts) if cuts else None
        ending = yield from course.read(part, seed)
        read += 1
        if ending.is_whole:
            lattice.whole(part)
            learn(course, lattice)
            continue
        if not cuts:
            ask_for_connectors(course)
        cuts[part] = ending
        lattice.cut(part)
        learn(course, lattice)
    if read > 1:
        yield from _again(course, roots)
    for part, ending in cuts.items():
        _account(course, part, ending)
    if course.settings.filters.connector_ids:
        course.note("jobs of 8.5, which name their connector in another place, are not found by connector")


def learn(course: Course, lattice: Lattice) -> None:
    """Let parts be split by every connector that is known by now."""
    if not course.settings.filters.connector_ids:
        for connector_id in tuple(course.connector_ids):
            lattice.learn(connector_id)


def ask_for_connectors(course: Course) -> None:
    """Learn which connectors there are, also those whose jobs no page has shown."""
    if course.settings.filters.connector_ids:
        return
    ids, why_not_all = connector_ids(course.asking, course.lister.reach)
    course.connector_ids.update(dict.fromkeys(ids))
    if why_not_all is not None:
        course.note(why_not_all)


def _seed(course: Course, part: Part, cuts: dict[Part, Ending]) -> Trail | None:
    """Return the longest beginning of a part that was read as part of others."""
    if course.lister.check.order not in {Order.NEWEST_FIRST, Order.OLDEST_FIRST}:
        return None
    trails = [cuts[wider].trail for wider in part.wider() if wider in cuts]
    longest = max(trails, key=lambda trail: trail.anchor(part).offset, default=None)
    return None if longest is None else longest.narrowed(part)


def _again(course: Course, roots: list[Part]) -> Generator[Group, None, None]:
    """Read unfinished jobs again until none is new: they go from part to part while the parts are read."""
    parts = [
        replace(root, status=status) for root in roots for status in sorted(UNFINISHED) if root.status in {None, status}
    ]
    for _ in range(course.settings.passes if parts else 0):
        moved = 0
        for part in parts:
            entry = course.open(part)
            for read in course.lister.read(part):
                unseen = [time for item, time in zip(read.page.items, read.times_ms, strict=True)
                          if item.id not in course.seen]  # fmt: skip
                # Jobs created since the walk began are for the next one; without an end they would come.
                moved += sum(course.is_old(time) for time in unseen)
                entry.count, entry.is_whole = read.page.count, read.is_last
                yield Group(items=course.take(read.page.items), at=read.page.at, elapsed_s=read.page.elapsed_s)
            course.close(entry)
        if not moved:
            return
    if parts:
        course.note(f"unfinished jobs still changed after {course.settings.passes} passes: some may have been missed")


def _account(course: Course, part: Part, ending: Ending) -> None:
    """Say what may be missing of a part beyond the reach of the list, and is in none of its parts either."""
    lacks = list(part.open_dimensions())
    if ("status" in lacks and not course.has_odd_status) or ("job_type" in lacks and part.job_types):
        return  # every job that is wanted has one of those known, so the parts of this part are all there is
    said = " and ".join(f"without a known {name}" for name in lacks)
    is_certain = not lacks or (lacks == ["connector_id"] and not course.connector_ids)
    course.incomplete(part, ending, lacks=f"jobs {said}".strip(), is_certain=is_certain)
