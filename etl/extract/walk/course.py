"""What the readings of one walk share: whom to ask, what has been met, what is wanted, and the account of it all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from etl.errors import RefusedError
from etl.extract.filters import STATUSES, JobFilters
from etl.extract.walk.asking import AnswerError, Asking
from etl.extract.walk.lister import Lister, milliseconds
from etl.extract.walk.pages import PAGE_SIZE, REACH
from etl.extract.walk.point import PointReader
from etl.extract.walk.report import IncompletePart, PartReport, WalkReport
from etl.extract.walk.seen import SeenIds
from etl.extract.walk.trail import Anchor, Order, Trail

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from datetime import datetime

    from etl.errors import EtlError
    from etl.extract.filters import TimeOf
    from etl.extract.walk.found import Found, Kind
    from etl.extract.walk.lister import PageRead
    from etl.extract.walk.parts import Part

    Skips: TypeAlias = Callable[[Sequence[str]], Sequence[bool]]


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkSettings:
    """How a walk goes.

    Attributes:
        filters: which jobs are wanted.
        use_index: whether the index itself may be read where the list does not reach.
        page_size: jobs on a page, at most 1,000.
        reach: how far the list reaches and its count goes; a cluster's own setting may be less, and says so.
        passes: how often unfinished jobs are read again at most.
    """

    filters: JobFilters = field(default_factory=JobFilters)
    use_index: bool = False
    page_size: int = PAGE_SIZE
    reach: int = REACH
    passes: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Jobs that came together.

    Attributes:
        items: each met for the first time, and wanted.
        at: when they were as they are (UTC).
        elapsed_s: seconds that it took to get them.
    """

    items: tuple[Found, ...]
    at: datetime
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How the reading of a part ended.

    Attributes:
        is_whole: whether nothing that is wanted is left.
        count: how many jobs the part has, as the cluster said last.
        reached: created_at of the last job that has one.
        trail: what was read.
    """

    is_whole: bool
    count: int
    reached: str | None
    trail: Trail


@dataclass(kw_only=True, slots=True)
class _Entry:
    """The account of one part while it is read."""

    part: Part
    before: int
    found: int = 0
    count: int = 0
    is_whole: bool = False
    by_index: bool = False
    requests: int = 0
    page_size: int = 1


class Course:
    """The state of one walk.

    Args:
        asking: asks.
        settings: of the walk.
        time_of: reads times.
        skips: tells of ids which of them the caller does not want again; None wants all.
        ids_only: read no documents.

    Attributes:
        asking: see above.
        settings: see above.
        lister: reads the list.
        seen: the ids that were met.
        met: how many jobs were met, by kind.
        connector_ids: that were met.
        watch: told of jobs that are met for the first time, wanted or not.
        newest: the latest time of creation when the walk began; None where it is not known.
        may_index: whether the index itself may be read, as far as is known.
        stopped: whether the caller ended it.
        fatal: the error that ended it.
    """

    def __init__(
        self,
        asking: Asking,
        settings: WalkSettings,
        time_of: TimeOf,
        *,
        skips: Skips | None = None,
        ids_only: bool = False,
    ) -> None:
        self.asking = asking
        self.settings = settings
        self.lister = Lister(asking, time_of, page_size=settings.page_size, reach=settings.reach, ids_only=ids_only)
        self.point = PointReader(asking, page_size=settings.page_size, ids_only=ids_only)
        self.seen = SeenIds()
        self.met: Counter[Kind] = Counter()
        self.connector_ids: dict[str, None] = {}
        self.newest: datetime | None = None
        self.may_index = settings.use_index
        self.stopped = False
        self.fatal: EtlError | None = None
        self.watch: Callable[[Sequence[Found]], None] = lambda _: None
        self._time_of = time_of
        self._skips = skips
        self._entries: list[_Entry] = []
        self._incomplete: list[IncompletePart] = []
        self._notes: dict[str, None] = {}
        self._unwanted = 0
        self._skipped = 0
        self._has_begun = False

    @property
    def has_odd_status(self) -> bool:
        """Tell whether a job was met whose status no filter knows."""
        return any(kind.status not in STATUSES for kind in self.met)

    def take(self, items: Iterable[Found]) -> tuple[Found, ...]:
        """Return which jobs of a page are met for the first time and wanted."""
        fresh = [item for item in items if self.seen.add(item.id)]
        self._entries[-1].found += len(fresh)
        self.watch(fresh)
        wanted: list[Found] = []
        for item in fresh:
            self.met[item.kind] += 1
            if item.connector_id is not None:
                self.connector_ids[item.connector_id] = None
            if item.problem is not None or self._admits(item):
                wanted.append(item)
        self._unwanted += len(fresh) - len(wanted)
        if self._skips is None or not wanted:
            return tuple(wanted)
        skipped = self._skips([item.id for item in wanted])
        kept = tuple(item for item, skip in zip(wanted, skipped, strict=True) if not skip)
        self._skipped += len(wanted) - len(kept)
        return kept

    def read(self, part: Part, seed: Trail | None = None) -> Generator[Group, None, Ending]:
        """Read a part by its list; in the index itself where the list does not reach its end and the index may be read.

        Args:
            part: of all jobs.
            seed: what was read of it already, as part of another.

        Raises:
            EtlError: see `Asking.ask`.
            StoppedError: see there.
        """
        trail = Trail() if seed is None else seed
        anchor = Anchor() if seed is None else seed.anchor(part)
        entry = self.open(part)
        reached: str | None = None
        for read in self.lister.read(part, anchor):
            self.begin(read.page.items)
            entry.count = read.page.count
            yield Group(items=self.take(read.page.items), at=read.page.at, elapsed_s=read.page.elapsed_s)
            trail.add(read.start, read.page.items, read.times_ms)
            reached = _last_time(read) or reached
            if read.is_last or self._is_before_since(read):
                entry.is_whole = True
                break
            if read.page.count >= self.lister.reach and self.may_index:
                entry.is_whole = entry.by_index = yield from self._read_index(part)
                if entry.is_whole:
                    break
        self.close(entry)
        return Ending(is_whole=entry.is_whole, count=entry.count, reached=reached, trail=trail)

    def open(self, part: Part) -> _Entry:
        """Begin the account of a part."""
        self._entries.append(_Entry(part=part, before=self.asking.sent, page_size=self.lister.size.now))
        return self._entries[-1]

    def close(self, entry: _Entry) -> None:
        """End the account of a part."""
        entry.requests = self.asking.sent - entry.before
        entry.page_size = (self.point if entry.by_index else self.lister).size.now

    def refused(self, error: EtlError) -> None:
        """Note that the index cannot be read."""
        self.may_index = False
        self.note(f"the index cannot be read, so only the list is: {error}")

    def begin(self, items: Sequence[Found]) -> None:
        """Note how new the newest of the first jobs is; what comes later changes nothing."""
        if self._has_begun:
            return
        self._has_begun = True
        times = [time for item in items if (time := self._time_of(item.created_at)) is not None]
        self.newest = max(times, default=None)

    def is_old(self, time_ms: int | None) -> bool:
        """Tell whether a job may have been there when the walk began, by its time in milliseconds."""
        return time_ms is None or self.newest is None or time_ms <= milliseconds(self.newest)

    def note(self, text: str) -> None:
        """Note something that the caller should know, once."""
        self._notes[text] = None

    def incomplete(self, part: Part, ending: Ending, *, lacks: str, is_certain: bool) -> None:
        """Note that a part could not be read to its end."""
        self._incomplete.append(
            IncompletePart(
                part=part,
                count=ending.count,
                reached=ending.reached,
                order=self.lister.check.order,
                is_certain=is_certain,
                lacks=lacks,
            )
        )

    def report(self) -> WalkReport:
        """Return what the walk did so far."""
        report = WalkReport(
            requests=self.asking.sent,
            least=sum(-(-entry.found // entry.page_size) for entry in self._entries),
            found=len(self.seen),
            unwanted=self._unwanted,
            skipped=self._skipped,
            parts=tuple(
                PartReport(
                    part=entry.part,
                    count=entry.count,
                    found=entry.found,
                    requests=entry.requests,
                    is_whole=entry.is_whole,
                    by_index=entry.by_index,
                )
                for entry in self._entries
            ),
            incomplete=tuple(self._incomplete),
            notes=tuple(self._notes),
            newest=self.newest,
            stopped=self.stopped,
            fatal=self.fatal,
        )
        begins_newest = self.lister.check.order in {Order.NEWEST_FIRST, Order.UNKNOWN}
        if report.is_complete and begins_newest:
            return report
        return replace(report, newest=None)

    def _read_index(self, part: Part) -> Generator[Group, None, bool]:
        """Read a part in the index; False where that is not allowed, or there is no such index."""
        try:
            for read in self.point.read(part, self.settings.filters):
                self._entries[-1].count = read.total
                yield Group(items=self.take(read.items), at=read.at, elapsed_s=read.elapsed_s)
        except (RefusedError, AnswerError) as error:
            self.refused(error)
            return False
        return True

    def _admits(self, item: Found) -> bool:
        filters = self.settings.filters
        return filters.admits(
            connector_id=item.connector_id,
            job_type=item.kind.job_type,
            status=item.kind.status,
            created_at=self._time_of(item.created_at) if filters.is_timed else None,
        )

    def _is_before_since(self, read: PageRead) -> bool:
        """Tell whether a page ends before the first time that is wanted, so that none that follows is wanted."""
        since = self.settings.filters.since
        if since is None or self.lister.check.order is not Order.NEWEST_FIRST:
            return False
        since_ms = milliseconds(since)
        return any(time is not None and time < since_ms for time in read.times_ms)


def _last_time(read: PageRead) -> str | None:
    return next(
        (
            str(item.created_at)
            for item, time in zip(reversed(read.page.items), reversed(read.times_ms), strict=True)
            if time is not None
        ),
        None,
    )
