"""Reads a part of all jobs page by page, without a gap, however the list shifts meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from etl.errors import UnreachableError
from etl.extract.walk.pages import PAGE_SIZE, REACH, Page, PageSize, WindowError, page_of
from etl.extract.walk.trail import Anchor, Order, OrderCheck, anchor_of
from etl.extract.wire import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.extract.filters import TimeOf
    from etl.extract.walk.asking import Asking
    from etl.extract.walk.found import Found
    from etl.extract.walk.parts import Part

_START = Anchor()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Return a time as lists are sorted by it: milliseconds since 1970, the rest cut."""
    return (moment - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRead:
    """A page that goes on from the one before.

    Attributes:
        start: its place in the part.
        times_ms: of its jobs, in milliseconds since 1970, which lists are sorted by; None where there is none.
        is_last: whether the part ends with it.
    """

    start: int
    page: Page
    times_ms: tuple[int | None, ...]
    is_last: bool


class Lister:
    """Reads parts through the list.

    Args:
        asking: asks.
        time_of: reads times.
        page_size: jobs on a page.
        reach: how far the list reaches and its count goes.
        ids_only: read no documents.

    Attributes:
        size: jobs on a page.
        reach: see above; the list itself may say that it is less.
        check: the order that was seen.
    """

    def __init__(
        self,
        asking: Asking,
        time_of: TimeOf,
        *,
        page_size: int = PAGE_SIZE,
        reach: int = REACH,
        ids_only: bool = False,
    ) -> None:
        self.size = PageSize(page_size)
        self.reach = reach
        self.check = OrderCheck()
        self._asking = asking
        self._time_of = time_of
        self._ids_only = ids_only

    def count(self, part: Part) -> int:
        """Return how many jobs a part has, at most `reach`."""
        return min(page_of(self._asking, part, start=0, size=0).count, self.reach)

    def first(self, part: Part) -> tuple[Found, ...]:
        """Return the first job of a part, without its document; nothing where there is none."""
        return page_of(self._asking, part, start=0, size=1, ids_only=True).items

    def time_ms(self, item: Found) -> int | None:
        """Return the time that a job is sorted by: milliseconds, the rest cut."""
        moment = self._time_of(item.created_at)
        return None if moment is None else milliseconds(moment)

    def read(self, part: Part, anchor: Anchor = _START) -> Iterator[PageRead]:
        """Yield pages until the part ends, or what the list reaches of it.

        Each page holds a job that was read before, so that nothing lies in between; where it does not, jobs have left
        the part meanwhile, and it is read again from further up. Jobs that share the time of the last one are read
        again too: their order is not fixed.

        Args:
            part: of all jobs.
            anchor: what is known of its beginning.

        Raises:
            EtlError: see `page_of`.
            StoppedError: see `page_of`.
        """
        start = self._resume(anchor)
        while True:
            size = min(self.size.now, self.reach - start)
            page = self._page(part, start, size)
            if page is None:
                start = min(start, max(self.reach - 1, 0))
                continue
            times = tuple(self.time_ms(item) for item in page.items)
            self.check.watch(times)
            # From its beginning a part has no gap; and pages of one job cannot overlap.
            if 0 < start < anchor.offset and not anchor.is_met({item.id for item in page.items}):
                if not self._stands_before(anchor, times):
                    start = max(0, start - max(1, self.size.now // 2))
                    continue
            else:
                anchor = anchor_of(start, page.items, times)
            end = start + len(page.items)
            whole = page.count < self.reach
            is_last = whole and (end >= page.count or not page.items)
            is_cut = not whole and (end >= self.reach or not page.items)
            yield PageRead(start=start, page=page, times_ms=times, is_last=is_last)
            if is_last or is_cut:
                return
            start = self._resume(replace(anchor, offset=end), within=len(page.items))

    def _resume(self, anchor: Anchor, within: int | None = None) -> int:
        """Return where the next page begins: with what was read last, or shares its time."""
        most = self.size.now // 2 if within is None else within // 2  # a page must go further than the one before
        return max(0, min(anchor.offset, self.reach) - min(anchor.tied(), most))

    def _stands_before(self, anchor: Anchor, times: tuple[int | None, ...]) -> bool:
        """Tell whether a page ends before what was read: so many jobs came that they filled it."""
        last = next((time for time in reversed(times) if time is not None), None)
        if last is None or anchor.time_ms is None:
            return False
        if self.check.order is Order.NEWEST_FIRST:
            return last > anchor.time_ms
        return self.check.order is Order.OLDEST_FIRST and last < anchor.time_ms

    def _page(self, part: Part, start: int, size: int) -> Page | None:
        """Ask for a page, a smaller one where it is too large; None where it lies beyond a reach now known."""
        while True:
            try:
                page = page_of(self._asking, part, start=start, size=size, ids_only=self._ids_only)
            except WindowError as error:
                if error.reach >= self.reach:
                    msg = f"{self._asking.who.url}: the list ends at {error.reach} jobs, but not where it says"
                    raise UnreachableError(msg) from error
                self.reach = error.reach
                size = min(size, self.reach - start)
                if size <= 0:
                    return None
            except TooLargeError as error:
                if size <= 1:
                    return self._only_id(part, start, error)
                self.size.halve(size)
                size = self.size.now
            else:
                self.size.fits()
                return page

    def _only_id(self, part: Part, start: int, error: TooLargeError) -> Page:
        """Return the page of one job whose document is too large to be read: all but the document."""
        page = page_of(self._asking, part, start=start, size=1, ids_only=True)
        problem = self._asking.line(str(error))
        return replace(page, items=tuple(replace(item, raw=b"", problem=problem) for item in page.items))
