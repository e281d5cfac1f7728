"""What a publish would do, found out before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl.load.csv_form import FORMAT as CSV
from etl.load.staged import Fate, StagedJobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from etl.load.index import JobIndex
    from etl.load.keys import Bools
    from etl.load.manifest import Origin
    from etl.load.reader import Snapshot
    from etl.load.staging import Batch


class Reason(StrEnum):
    """Why a publish is due even where no row is new."""

    SCHEMA = "the tables' schema has changed"
    REDACTOR = "the redactor is newer"
    EXPOSED = "fewer fields are exposed"
    FORMATS = "a format was added"
    CSV = "CSV files are to have texts in another way"


_ROWS_STAY = frozenset({Reason.FORMATS, Reason.CSV})


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What is published.

    Attributes:
        latest: the run id that readers are led to; None where nothing is published.
        snapshot: the one whose rows are carried over; None for the first, and where demo data are replaced.
        index: of its jobs.
    """

    latest: str | None
    snapshot: Snapshot | None
    index: JobIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a run publishes under.

    Attributes:
        origin: of its rows.
        formats: of the dataset, those of the snapshot before first.
        csv_raw: whether CSV files have texts as they are.
    """

    origin: Origin
    formats: tuple[str, ...]
    csv_raw: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Patches:
    """Published or new rows that get `not_found_at`: ids and times (UTC), one element each a job."""

    job_ids: pa.Array
    times: pa.Array

    @classmethod
    def of(cls, times: dict[str, datetime]) -> Patches:
        """Take ids with their times."""
        return cls(
            job_ids=pa.array(list(times), pa.string()),
            times=pa.array(list(times.values()), pa.timestamp("us", "UTC")),
        )

    def __len__(self) -> int:
        return len(self.job_ids)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PublishPlan:
    """What a publish would do.

    Attributes:
        run_id: of the run.
        base: what is published now.
        terms: of the run.
        batches: of this run and adopted ones, in the order in which later ones win.
        staged: their jobs, with their fates.
        loaded_rows: for each batch, which rows of its sync_jobs are published.
        replaced: for each position of the base's index, whether the job's rows are dropped.
        patches: rows that get `not_found_at`.
        touched: months that are written anew: with a row that is new, changed, gone or patched, or with files to join.
        reasons: for a publish that do not lie in rows.
    """

    run_id: str
    base: Base
    terms: Terms
    batches: tuple[Batch, ...]
    staged: StagedJobs
    loaded_rows: tuple[Bools, ...]
    replaced: Bools
    patches: Patches
    touched: frozenset[str | None]
    reasons: tuple[Reason, ...]

    @property
    def must_publish(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.reasons or self.touched)

    @property
    def rewrites_all(self) -> bool:
        """Whether every file is written anew."""
        return any(reason not in _ROWS_STAY for reason in self.reasons)

    @property
    def redacts_again(self) -> bool:
        """Whether published rows must pass the redactor again."""
        return Reason.REDACTOR in self.reasons or Reason.EXPOSED in self.reasons

    @property
    def kept(self) -> int:
        """The number of published jobs whose rows stay."""
        return len(self.base.index) - int(np.count_nonzero(self.replaced))

    @property
    def loaded_before_widening(self) -> int:
        """The number of jobs that were loaded while fewer fields were exposed, and stay as they are."""
        if self.base.snapshot is None:
            return 0
        before = set(self.base.snapshot.manifest.origin.exposed)
        return self.kept if set(self.terms.origin.exposed) - before else 0

    def fates_of(self, ids: Sequence[str]) -> list[Fate | None]:
        """Return what becomes of each id; None for ids without staged rows."""
        return self.staged.fates_of(ids)

    def adopted_jobs(self) -> Iterator[tuple[str, Fate]]:
        """Yield each job that only runs which died had fetched last, and what becomes of it.

        Raises:
            OutputError: a batch cannot be read.
        """
        for position, batch in enumerate(self.batches):
            if batch.manifest.run_id == self.run_id:
                continue
            for chunk in batch.jobs(("job_id",)):
                ids = chunk["job_id"].to_pylist()
                for job_id, place in zip(ids, self.staged.places_of(chunk["job_id"]), strict=True):
                    if self.staged.batch[place] == position:
                        yield job_id, Fate(int(self.staged.fates[place]))


def reasons_to_publish(snapshot: Snapshot | None, terms: Terms) -> tuple[Reason, ...]:
    """Return what has changed between a snapshot and what a run publishes under."""
    if snapshot is None:
        return ()
    before, now = snapshot.manifest.origin, terms.origin
    found = {
        Reason.SCHEMA: before.schema_fingerprint != now.schema_fingerprint,
        Reason.REDACTOR: before.redactor_version < now.redactor_version,
        Reason.EXPOSED: not set(before.exposed) <= set(now.exposed),
        Reason.FORMATS: not set(terms.formats) <= set(snapshot.manifest.formats),
        Reason.CSV: CSV in snapshot.manifest.formats and terms.csv_raw != snapshot.manifest.csv_raw,
    }
    return tuple(reason for reason, holds in found.items() if holds)
