"""The one way into a dataset for a run: lock, recover, index, batches, plan, publish.

A run opens a `Writer`, fetches what neither `published` nor `adopted` has settled, and stages each batch, in any
thread or worker, with `stage`. It commits the summaries that come back, makes the plan, computes the outcomes of its
ids from `plan.fates_of` and `plan.adopted_jobs`, and publishes. A run that may not publish leaves a record; what it
staged is adopted by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from etl.errors import UsageError
from etl.load.build import Limits, SnapshotOptions
from etl.load.index import INDEX_COLUMNS, JobIndex, build_index, published_index
from etl.load.lock import DatasetLock, acquire
from etl.load.manifest import Origin, RunManifest, RunState, SnapshotManifest
from etl.load.merging import Here, Spread
from etl.load.parquet import FORMAT
from etl.load.plan import Base, PublishPlan, Terms
from etl.load.planner import make_plan
from etl.load.pool import give_back_memory, give_back_unused
from etl.load.prune import Pruned, Retention, prune
from etl.load.publish import publish
from etl.load.recover import Recovered, recover
from etl.load.runs import RunRecord, rechecks, write_run
from etl.load.small_files import months_to_join
from etl.load.staging import Batch, StagedSummary, commit_batch, open_batch, remove_batches, sweep
from etl.schema.arrow import SCHEMA_VERSION
from etl.settings import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from etl.load.objects.lease import Lease
    from etl.load.rewrite import RewriteRows
    from etl.load.storage import Storage
    from etl.model import Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What a run brings to a dataset.

    Attributes:
        run_id: of the run.
        now: its start (UTC).
        provenance: of the rows that it will fetch.
        formats: that it asks for; those that the dataset has stay, and Parquet is always one.
        csv_raw: whether CSV files have texts as they are; else formulas in them are made harmless.
        settle: how long after the latest time in a document a fetch settles the job.
        retention: what is kept.
        limits: how much is read and written at once.
    """

    run_id: str
    now: datetime
    provenance: Provenance
    formats: tuple[str, ...] = (FORMAT,)
    csv_raw: bool = False
    settle: timedelta = timedelta(hours=1)
    retention: Retention = field(default_factory=Retention)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """What a run left on disk.

    Attributes:
        run: its record.
        snapshot: that it published; None where it published nothing.
        pruned: what was removed.
    """

    run: RunManifest
    snapshot: SnapshotManifest | None
    pruned: Pruned


class Writer:
    """A run's hold on a dataset. Made by `open`; closing it gives the lock back.

    Attributes:
        recovered: what dead runs left, and what became of it.
        published: the index of published jobs; empty where demo data are replaced.
        adopted: the index of jobs in adopted batches.
    """

    def __init__(self, storage: Storage, opening: Opening, lock: DatasetLock | Lease) -> None:
        self._storage = storage
        self._opening = opening
        self._lock = lock
        self._batches: list[Batch] = []
        origin = Origin.of(opening.provenance, SCHEMA_VERSION)
        self.recovered: Recovered = recover(storage, origin)
        snapshot = self.recovered.snapshot
        again = rechecks(storage.layout, origin.source)
        self.published: JobIndex = published_index(snapshot, opening.settle, again)
        self.adopted: JobIndex = _adopted_index(self.recovered.adopted, opening.settle)
        former = snapshot.manifest.formats if snapshot else (FORMAT,)
        formats = (*former, *(name for name in opening.formats if name not in former))
        self._terms = Terms(origin=origin, formats=formats, csv_raw=opening.csv_raw)

    @classmethod
    def open(cls, storage: Storage, opening: Opening) -> Self:
        """Take the lock, finish or discard what dead runs left, and read what is known of jobs.

        Raises:
            LockedError: another run holds the lock.
            UsageError: the dataset is that of another source or of a later version, or a format is unknown.
            OutputError: the dataset cannot be read or written.
        """
        unknown = [name for name in opening.formats if name not in FORMATS]
        if unknown:
            msg = f"format {unknown[0]}: unknown; choose one of {', '.join(FORMATS)}"
            raise UsageError(msg)
        give_back_memory()
        storage.make_folder(storage.layout.root)
        lock = acquire(storage, run_id=opening.run_id, now=opening.now)
        try:
            return cls(storage, opening, lock)
        except BaseException:
            lock.release()
            raise

    @property
    def watermark(self) -> Any:  # noqa: ANN401 - any JSON
        """Where an incremental run resumes; None where nothing is known."""
        snapshot = self.recovered.snapshot
        return snapshot.manifest.watermark if snapshot else None

    def commit(self, summary: StagedSummary) -> None:
        """Let a staged batch exist; only then do its ids count as done.

        Raises:
            OutputError: the file system refuses.
        """
        commit_batch(self._storage, summary.run_id, summary.number, summary.attempt)
        self._batches.append(open_batch(self._storage, summary.run_id, summary.number))

    def discard(self) -> None:
        """Remove what this run has staged: for answers that no later run may adopt, as those of a wrong cluster.

        Raises:
            OutputError: the file system refuses.
        """
        remove_batches(self._storage, self._batches)
        self._batches = []

    def plan(self, *, joins_files: bool = False) -> PublishPlan:
        """Compare what is staged with what is published; nothing is written yet.

        Args:
            joins_files: months whose rows would fit in fewer files are written anew too.

        Raises:
            OutputError: a file cannot be read.
        """
        base = Base(latest=self.recovered.latest, snapshot=self.recovered.snapshot, index=self.published)
        batches = [*self.recovered.adopted, *self._batches]
        give_back_unused()
        limits = self._opening.limits
        plan = make_plan(self._storage, self._opening.run_id, base, self._terms, batches, limits.sources)
        if joins_files and base.snapshot is not None:
            return replace(plan, touched=plan.touched | months_to_join(base.snapshot, limits.file_rows))
        return plan

    def publish(
        self,
        plan: PublishPlan,
        record: RunRecord,
        *,
        now: datetime,
        watermark: Any = None,  # noqa: ANN401 - any JSON
        rewrite_rows: RewriteRows | None = None,
        spread: Spread | None = None,
    ) -> Closing:
        """Publish what the plan says, and leave the record; a plan without changes leaves only the record.

        Args:
            plan: of this run.
            record: of this run; its outcomes follow from the plan.
            now: the time (UTC).
            watermark: where an incremental run resumes; None keeps the one before. A new one alone publishes nothing.
            rewrite_rows: redacts published rows again; needed where the plan says so.
            spread: merges months in several places at once; None merges all in this program.

        Raises:
            LockedError: somebody has published since the writer was opened.
            OutputError: a file cannot be read or written.
        """
        if not plan.must_publish:
            run = write_run(self._storage, self._opening.run_id, record, RunState.UNCHANGED, None)
            remove_batches(self._storage, plan.batches)
            return self._close(run, None, now)
        options = SnapshotOptions(
            now=now,
            watermark=watermark,
            rewrite_rows=rewrite_rows,
            limits=self._opening.limits,
            spread=spread or Here(),
        )
        return self._close(*publish(self._storage, plan, record, options), now)

    def record(self, record: RunRecord, state: RunState, *, now: datetime) -> Closing:
        """Leave the record of a run that publishes nothing; what it staged is adopted by the next one.

        Raises:
            OutputError: a file cannot be written.
        """
        return self._close(write_run(self._storage, self._opening.run_id, record, state, None), None, now)

    def close(self) -> None:
        """Give the lock back; doing it twice is fine."""
        self._lock.release()

    def _close(self, run: RunManifest, snapshot: SnapshotManifest | None, now: datetime) -> Closing:
        sweep(self._storage, self._storage.layout.staged_run(run.run_id))
        return Closing(run=run, snapshot=snapshot, pruned=prune(self._storage, self._opening.retention, now))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _adopted_index(batches: Sequence[Batch], settle: timedelta) -> JobIndex:
    chunks = (chunk for batch in batches for chunk in batch.jobs(INDEX_COLUMNS))
    return build_index(chunks, sum(batch.manifest.jobs for batch in batches), settle)
