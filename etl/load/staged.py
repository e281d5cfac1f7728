"""All jobs that are staged: which batch's rows count, and what becomes of them.

Of two versions of a job the one fetched later wins; where both were fetched at once, that of the later batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from etl.load.index import MonthCodes, micros
from etl.load.keys import Bools, Int32s, Int64s, Keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from etl.load.staging import Batch

_COLUMNS = ("job_id", "fetched_at", "created_at", "created_month")


class Fate(IntEnum):
    """What becomes of a staged job."""

    NEW = 1
    """It was not published before."""

    CHANGED = 2
    """Its rows differ from the published ones, and replace them."""

    UNCHANGED = 3
    """Its rows equal the published ones."""

    OLDER = 4
    """What is published was fetched later, and stays."""

    @property
    def is_loaded(self) -> bool:
        """Whether its rows are published."""
        return self in {Fate.NEW, Fate.CHANGED}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StagedJobs:
    """Staged jobs, each once, by hash; all arrays have one element a job.

    Attributes:
        keys: sorted.
        batch: position of the batch whose rows count.
        row: of the job in that batch's sync_jobs.
        fetched: when (microseconds since 1970).
        created: when the job was (microseconds since 1970; the least number there is for undated jobs).
        month_codes: positions in `months`.
        months: each month once.
        fates: as numbers; filled in by the plan.
    """

    keys: Keys
    batch: Int32s
    row: Int32s
    fetched: Int64s
    created: Int64s
    month_codes: Int32s
    months: tuple[str | None, ...]
    fates: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, batches: Sequence[Batch], months: Sequence[str | None]) -> StagedJobs:
        """Read the jobs of batches.

        Args:
            batches: in the order in which later ones win.
            months: that have numbers already.

        Raises:
            OutputError: a batch cannot be read.
        """
        size = sum(batch.manifest.jobs for batch in batches)
        high, low = np.empty(size, np.uint64), np.empty(size, np.uint64)
        number, row, month = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
        fetched, created = np.empty(size, np.int64), np.empty(size, np.int64)
        codes = MonthCodes(months)
        end = 0
        for position, batch in enumerate(batches):
            first = end
            for chunk in batch.jobs(_COLUMNS):
                start, end = end, end + chunk.num_rows
                keys = Keys.of(chunk["job_id"])
                high[start:end], low[start:end] = keys.high, keys.low
                number[start:end] = position
                row[start:end] = np.arange(start - first, end - first)
                fetched[start:end] = micros(chunk["fetched_at"])
                created[start:end] = micros(chunk["created_at"])
                month[start:end] = codes.encode(chunk["created_month"])
        order = np.lexsort((number, fetched, low, high))
        order = order[Keys(high=high[order], low=low[order]).last_of_each()]
        # One by one, so that no more than one array is there twice.
        high, low = high[order], low[order]
        number, row, month = number[order], row[order], month[order]
        fetched, created = fetched[order], created[order]
        return cls(
            keys=Keys(high=high, low=low),
            batch=number,
            row=row,
            fetched=fetched,
            created=created,
            month_codes=month,
            months=codes.months,
            fates=np.full(len(order), Fate.NEW, dtype=np.uint8),
        )

    def __len__(self) -> int:
        return len(self.keys)

    def places_of(self, ids: Sequence[str] | pa.ChunkedArray) -> Int64s:
        """Return the position of each id, -1 for ids that are not staged."""
        return self.keys.find(Keys.of(ids))

    def fates_of(self, ids: Sequence[str]) -> list[Fate | None]:
        """Return what becomes of each id; None for ids that are not staged."""
        return [Fate(int(self.fates[place])) if place >= 0 else None for place in self.places_of(ids)]

    def loaded(self) -> Bools:
        """Tell which jobs are published."""
        mask: Bools = (self.fates == Fate.NEW) | (self.fates == Fate.CHANGED)
        return mask

    def rows_of(self, batches: Sequence[Batch], jobs: Bools) -> tuple[Bools, ...]:
        """Tell for each row of each batch's sync_jobs whether it is that of one of some jobs, and counts.

        Args:
            batches: those that this was read from.
            jobs: one element a job.
        """
        firsts = np.cumsum([0, *(batch.manifest.jobs for batch in batches)])
        mask = np.zeros(firsts[-1], dtype=np.bool_)
        mask[firsts[self.batch[jobs]] + self.row[jobs]] = True
        return tuple(np.split(mask, firsts[1:-1])) if batches else ()
