"""What is new since an earlier walk: newest first until nothing new comes, then counts compared with what is published.

A job that came late, far below the newest ones, or has no time of creation, shows in a count alone; where a count
differs, that part is read whole. What no count shows: a job that came late while another one was deleted, and, where
the list does not reach all, jobs without both connector and job type.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from etl.errors import RefusedError
from etl.extract.walk.asking import AnswerError
from etl.extract.walk.course import Course, Group, WalkSettings
from etl.extract.walk.lister import milliseconds
from etl.extract.walk.parts import Lattice, Part, roots_of
from etl.extract.walk.trail import Order
from etl.extract.walk.walk import ask_for_connectors, ended_by, learn, whole_walk

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import datetime, timedelta

    from etl.extract.filters import TimeOf
    from etl.extract.walk.asking import Asking
    from etl.extract.walk.found import Found, Kind
    from etl.extract.walk.report import WalkReport
    from etl.model import Answer


class Known(Protocol):
    """What the dataset holds of this cluster, before the walk."""

    def settled(self, ids: Sequence[str]) -> Sequence[bool]:
        """Tell of each id whether its job is published and settled."""

    def published(self, ids: Sequence[str]) -> Sequence[bool]:
        """Tell of each id whether its job is published, settled or not, and not known to be gone."""

    def count(self, status: str | None, job_type: str | None, connector_id: str | None) -> int:
        """Return how many jobs are published that have these properties, less those known to be gone; None is any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Where an earlier walk began.

    Attributes:
        watermark: the latest time of creation that it met at its start (UTC).
        overlap: how much later than it should a job may become visible.
    """

    watermark: datetime
    overlap: timedelta

    @property
    def time_ms(self) -> int:
        """The time before which nothing new is looked for, in milliseconds."""
        return milliseconds(self.watermark - self.overlap)


class WalkSince:
    """Walks the jobs that are new or not settled. Made for one walk: `answers`, then `report`.

    With filters of time, or where the list is not newest first, all is walked that is wanted.

    Args:
        asking: asks the cluster.
        settings: how to walk, and what is wanted; the same filters as those of the earlier walk.
        mark: where that began.
        known: what the dataset holds.
        time_of: reads times, by the rules of the tables.
    """

    def __init__(self, asking: Asking, settings: WalkSettings, *, mark: Mark, known: Known, time_of: TimeOf) -> None:
        self._course = Course(asking, settings, time_of, skips=known.settled)
        self._search = _Search(self._course, mark, known)

    def answers(self) -> Iterator[tuple[Answer, ...]]:
        """Yield jobs that are new or not settled as answers to requests for them, each once.

        Unsettled jobs of the dataset that do not come are older than where the walk stopped, or gone: ask `has_met`.
        Nothing is raised, see `report`.
        """
        for group in ended_by(self._course, self._search.run()):
            yield tuple(item.answer(at=group.at, elapsed_s=group.elapsed_s) for item in group.items)

    def has_met(self, job_id: str) -> bool:
        """Tell whether a job was met, wanted or not."""
        return job_id in self._course.seen

    def report(self) -> WalkReport:
        """Return what the walk did so far."""
        return self._course.report()


class _Search:
    """The search for what is new."""

    def __init__(self, course: Course, mark: Mark, known: Known) -> None:
        self._course = course
        self._mark = mark
        self._known = known
        self._new: Counter[Kind] = Counter()
        course.watch = self._count_new

    def run(self) -> Generator[Group, None, None]:
        course = self._course
        roots = roots_of(course.settings.filters)
        if course.settings.filters.is_timed:
            yield from whole_walk(course)
            return
        if len(roots) > 1:
            course.begin(course.lister.first(Part()))
        cut: list[Part] = []
        for root in roots:
            is_open = yield from self._root(root)
            if is_open:
                cut.append(root)
        if cut:
            yield from self._compare(cut)

    def _root(self, root: Part) -> Generator[Group, None, bool]:
        """Read a part from the newest down; true where counts of narrower parts must tell whether that was all."""
        course = self._course
        if course.may_index and self._expected(root) >= course.lister.reach:
            is_read = yield from self._root_by_index(root)
            if is_read:
                return False
        entry = course.open(root)
        first_count: int | None = None
        is_done = differs = False
        for read in course.lister.read(root):
            page = read.page
            course.begin(page.items)
            entry.count = page.count
            first_count = page.count if first_count is None else first_count
            is_old = self._is_old(page.items, read.times_ms)
            yield Group(items=course.take(page.items), at=page.at, elapsed_s=page.elapsed_s)
            if page.count >= course.lister.reach and course.may_index:
                course.close(entry)
                is_read = yield from self._root_by_index(root)
                if is_read:
                    return False
            if read.is_last:
                is_done = True
                break
            if differs or not is_old or course.lister.check.order is not Order.NEWEST_FIRST:
                continue
            if first_count >= course.lister.reach:
                break
            is_done = first_count == self._expected(root)
            if is_done:
                break
            differs = True  # something came late, or is gone: read on to the end
        else:
            # The list ends before anything old came: all of it must be walked.
            course.close(entry)
            yield from whole_walk(course, [root])
            return False
        entry.is_whole = is_done
        course.close(entry)
        return not is_done

    def _root_by_index(self, root: Part) -> Generator[Group, None, bool]:
        """Do the same in the index, which counts exactly; False where it may not be read."""
        course = self._course
        entry = course.open(root)
        entry.by_index = True
        reading = course.point.read(root, course.settings.filters)
        differs = False
        try:
            for read in reading:
                course.begin(read.items)
                entry.count = read.total
                is_old = self._is_old(read.items, [course.lister.time_ms(item) for item in read.items])
                yield Group(items=course.take(read.items), at=read.at, elapsed_s=read.elapsed_s)
                if is_old and not differs:
                    if read.total == self._expected(root):
                        break
                    differs = True
        except (RefusedError, AnswerError) as error:
            course.refused(error)
            return False
        finally:
            reading.close()
            course.close(entry)
        entry.is_whole = True
        return True

    def _compare(self, roots: list[Part]) -> Generator[Group, None, None]:
        """Compare the count of each part that the list counts with what is published, and read those that differ."""
        course = self._course
        ask_for_connectors(course)
        lattice = Lattice(roots, status_last=True)
        while (part := lattice.next()) is not None:
            learn(course, lattice)
            if part in roots:
                lattice.cut(part)
                continue
            count = course.lister.count(part)
            if count >= course.lister.reach:
                lattice.cut(part)
                continue
            if count != self._expected(part):
                yield from course.read(part)
            lattice.whole(part)
        for part in lattice.cut_parts():
            if not part.open_dimensions():
                course.note(f"{part}: the list does not count so many jobs, so what came late there is not seen")

    def _count_new(self, items: Sequence[Found]) -> None:
        """Count jobs that are not published among those that are met for the first time."""
        for item, is_published in zip(items, self._known.published([item.id for item in items]), strict=True):
            self._new[item.kind] += not is_published

    def _expected(self, part: Part) -> int:
        """Return how many jobs a part has if nothing came late and nothing is gone."""
        types = part.job_types if part.job_type is None and part.job_types else (part.job_type,)
        published = sum(self._known.count(part.status, job_type, part.connector_id) for job_type in types)
        return published + sum(count for kind, count in self._new.items() if part.holds(kind))

    def _is_old(self, items: Sequence[Found], times_ms: Sequence[int | None]) -> bool:
        """Tell whether all jobs of a page are older than the mark and settled."""
        return all(time is None or time < self._mark.time_ms for time in times_ms) and all(
            self._known.settled([item.id for item in items])
        )
