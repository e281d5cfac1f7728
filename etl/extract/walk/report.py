"""What a walk has to say when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etl.extract.walk.trail import Order

if TYPE_CHECKING:
    from datetime import datetime

    from etl.errors import EtlError
    from etl.extract.walk.parts import Part

REMEDY: Final = "give the credentials the index privilege read on .elastic-connectors-sync-jobs*"


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReport:
    """What was read of a part.

    Attributes:
        part: of all jobs.
        count: how many jobs it has, as the cluster says.
        found: jobs that were first met here.
        requests: made for it, repeats included.
        is_whole: whether it was read to its end, or to the end of what was wanted.
        by_index: whether it was read in the index itself.
    """

    part: Part
    count: int
    found: int
    requests: int
    is_whole: bool
    by_index: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class IncompletePart:
    """A part whose jobs beyond what the list reaches were not read.

    Attributes:
        part: of all jobs.
        count: what the cluster counts, which stands where counting ends.
        reached: created_at of the last job that was reached, as it stands there: the oldest where the list is newest
            first; None where no job has one.
        order: of the list.
        is_certain: False where only jobs can be missing that no filter finds: those without job type or connector.
        lacks: which jobs may be missing.
    """

    part: Part
    count: int
    reached: str | None
    order: Order
    is_certain: bool
    lacks: str

    def __str__(self) -> str:
        side = "after" if self.order is Order.OLDEST_FIRST else "before"
        where = f" created {side} {self.reached}" if self.reached is not None else ""
        verb = "are" if self.is_certain else "may be"
        return f"{self.part}: the count stands at {self.count}; {self.lacks}{where} {verb} missing; {REMEDY}"


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkReport:
    """What a walk did.

    Attributes:
        requests: made in all, repeats included.
        least: the fewest possible: over the parts, the jobs first met there, by page size, rounded up.
        found: jobs that were met.
        unwanted: of these, jobs that the filters do not admit.
        skipped: of these, jobs that the caller did not want again.
        parts: that were read, in this order.
        incomplete: parts that neither list nor index could be read of to the end.
        notes: what the caller should know, once each.
        newest: the latest time of creation at the start (UTC): a mark for the next walk. None where the walk was not
            complete, or the list does not begin with the newest.
        stopped: whether the caller ended it.
        fatal: the error that ended it.
    """

    requests: int
    least: int
    found: int
    unwanted: int
    skipped: int
    parts: tuple[PartReport, ...]
    incomplete: tuple[IncompletePart, ...]
    notes: tuple[str, ...]
    newest: datetime | None
    stopped: bool
    fatal: EtlError | None

    @property
    def is_complete(self) -> bool:
        """Tell whether every job was reached that is known to exist."""
        return self.fatal is None and not self.stopped and not any(part.is_certain for part in self.incomplete)
