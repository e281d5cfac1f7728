"""Where a reading stands in an ordered list that changes under it, and what it tells of narrower parts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.extract.walk.found import Found, Kind
    from etl.extract.walk.parts import Part

_KEPT: Final = 20  # jobs at the end of what was read: so many would have to leave a part at once to be lost sight of


class Order(Enum):
    """How a list is sorted by `created_at`, as far as was seen."""

    UNKNOWN = "unknown"
    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"
    NONE = "none"


class OrderCheck:
    """Watches in which order jobs come; one that is broken stays so.

    Attributes:
        order: as far as was seen.
    """

    def __init__(self) -> None:
        self.order = Order.UNKNOWN

    def watch(self, times_ms: Sequence[int | None]) -> None:
        """Look at the times of one page, in its order."""
        dated = [time for time in times_ms if time is not None]
        steps = {Order.NEWEST_FIRST if later < earlier else Order.OLDEST_FIRST
                 for earlier, later in pairwise(dated) if later != earlier}  # fmt: skip
        if self.order is not Order.UNKNOWN:
            steps.add(self.order)
        if steps:
            self.order = steps.pop() if len(steps) == 1 else Order.NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """The end of what was read of a part: a page that goes on from there holds one of these jobs.

    Attributes:
        offset: how many jobs were read.
        last: the last of them, each with its time in milliseconds, the very last one at the end.
    """

    offset: int = 0
    last: tuple[tuple[str, int | None], ...] = ()

    @property
    def time_ms(self) -> int | None:
        """The time of the last job."""
        return self.last[-1][1] if self.last else None

    def tied(self) -> int:
        """Return how many of the last jobs share their time: the list may give these in any order the next time."""
        if not self.last:
            return 0
        return next((n for n, (_, time) in enumerate(reversed(self.last)) if time != self.time_ms), len(self.last))

    def is_met(self, ids: set[str]) -> bool:
        """Tell whether a page with these ids goes on from here."""
        return not self.last or any(job_id in ids for job_id, _ in self.last)


class Trail:
    """What was read of a part from its beginning, by kind: how many, and the last ones.

    Of any narrower part it tells how many of its first jobs were read, since filters keep the order.
    """

    def __init__(self) -> None:
        self._read = 0
        self._kinds: dict[Kind, tuple[int, deque[tuple[int, str, int | None]]]] = {}

    def add(self, start: int, items: Sequence[Found], times_ms: Sequence[int | None]) -> None:
        """Note a page that begins at a place; what was noted before it overlaps with is passed over."""
        for place, (item, time) in enumerate(zip(items, times_ms, strict=True), start=start):
            if place < self._read:
                continue
            self._read = place + 1
            count, last = self._kinds.get(item.kind, (0, deque(maxlen=_KEPT)))
            last.append((place, item.id, time))
            self._kinds[item.kind] = (count + 1, last)

    def narrowed(self, part: Part) -> Trail:
        """Return the beginning of a narrower part's trail."""
        trail = Trail()
        for kind, (count, last) in self._kinds.items():
            if part.holds(kind):
                # Places count from the end of what was read here, so that those of the part come after them.
                moved = deque(((place - self._read, job_id, time) for place, job_id, time in last), maxlen=_KEPT)
                trail._kinds[kind] = (count, moved)
                trail._read += count
        return trail

    def anchor(self, part: Part) -> Anchor:
        """Return where a reading of a narrower part begins."""
        meant = [known for kind, known in self._kinds.items() if part.holds(kind)]
        last = sorted((entry for _, entries in meant for entry in entries), key=lambda entry: entry[0])[-_KEPT:]
        return Anchor(offset=sum(count for count, _ in meant), last=tuple((job_id, time) for _, job_id, time in last))


def anchor_of(start: int, items: Sequence[Found], times_ms: Sequence[int | None]) -> Anchor:
    """Return the end of a page."""
    last = zip((item.id for item in items[-_KEPT:]), times_ms[-_KEPT:], strict=True)
    return Anchor(offset=start + len(items), last=tuple(last))
