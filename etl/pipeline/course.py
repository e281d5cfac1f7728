"""The course of a run: what was answered is staged and counted, and at the end published, or kept for the next run.

Where the answers come from is no matter here: ids, the whole cluster, or files.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from etl.errors import EtlError
from etl.extract.fetch import INTERRUPTED, NOT_ATTEMPTED
from etl.load.manifest import RunState
from etl.load.pool import give_back_unused
from etl.model import IdRecord, Outcome
from etl.pipeline.record import TO_RETRY, examples_of, run_record, run_summary
from etl.pipeline.spread import EngineSpread
from etl.pipeline.stop import Stop, StopCause
from etl.pipeline.verdict import verdict
from etl.transform.fast import forget_parts
from etl.transform.rewrite import redact_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from etl.load.plan import PublishPlan
    from etl.load.staged import Fate
    from etl.load.storage import NewFile, Storage
    from etl.load.writer import Writer
    from etl.model import Provenance
    from etl.pipeline.batch import BatchResult
    from etl.pipeline.spool import Spool
    from etl.pipeline.summary import RunSummary
    from etl.settings import RunSettings


@dataclass(kw_only=True, slots=True)
class Course:
    """The state of one run between its steps.

    Attributes:
        run_id: of the run.
        storage: of the dataset.
        provenance: of its rows.
        settings: of the run.
        writer: its hold on the dataset.
        stop: ends it in order.
        started: when it began (UTC).
        records: what became of each id so far; LOADED is provisional until the plan is made.
        rejected: lines of rejected.ndjson.
        inputs: what was asked for, for the run's manifest.
        shown_settings: further settings for the run's manifest, such as those of the connection.
        requested: ids that were asked for, or jobs that were found where nobody named ids.
        warnings: what the operator should know all the same.
        outcomes: number of records by outcome.
        answered: ids to which there was an answer of any status.
        attempted: ids for which a request was made.
        from_dead_runs: of the ids asked for, those whose rows were staged by runs that died.
        adopted: further jobs that such runs had staged and that this run publishes.
        redacted: values withheld.
        masked: texts in which something was masked.
        failures: ids that failed or were rejected.
        refused_fields: fields that were to be exposed but are secrets.
        fatal: what ended the fetching.
        raw: the archive of documents as received, while it grows.
        incomplete: parts of the cluster that could not be read, with the remedy.
        figures: further counts for the run's manifest and the summary.
        watermark: where an incremental run resumes; None leaves that as it is.
        joins_files: whether months whose rows would fit in fewer files are written anew too.
        timings: seconds by stage, of those that have ended.
    """

    run_id: str
    storage: Storage
    provenance: Provenance
    settings: RunSettings
    writer: Writer
    stop: Stop
    started: datetime
    records: Spool[IdRecord]
    rejected: Spool[bytes]
    inputs: dict[str, Any]
    shown_settings: dict[str, Any] = field(default_factory=dict)
    requested: int = 0
    warnings: list[str] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    answered: int = 0
    attempted: int = 0
    from_dead_runs: int = 0
    adopted: int = 0
    redacted: int = 0
    masked: int = 0
    failures: int = 0
    refused_fields: set[str] = field(default_factory=set)
    fatal: EtlError | None = None
    raw: NewFile | None = None
    incomplete: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    watermark: Any = None
    joins_files: bool = False
    timings: dict[str, float] = field(default_factory=dict)
    _stage_began: float = field(default_factory=time.monotonic)
    _has_told_refusal: bool = False

    @property
    def output(self) -> Path:
        """The folder of the dataset."""
        return self.storage.layout.root

    def end_stage(self, name: str) -> None:
        """Note how long a stage took that ends now."""
        now = time.monotonic()
        self.timings[name] = round(now - self._stage_began, 3)
        self._stage_began = now

    def note(self, records: Iterable[IdRecord]) -> None:
        """Count what became of some ids."""
        group = tuple(records)
        self.records.add(group)
        self.outcomes.update(record.outcome for record in group)
        self.answered += sum(record.http_status is not None for record in group)
        self.attempted += sum(record.attempts > 0 for record in group)

    def count_failures(self, failures: int) -> None:
        """Count failures, and ask for the end when there are more than are allowed."""
        self.failures += failures
        allowed = self.settings.max_failures
        if self.failures > (math.inf if allowed is None else allowed.of(self.requested)):
            self.stop.request(StopCause.FAILURES)

    def take(self, result: BatchResult) -> None:
        """Let a batch exist, and count what became of its ids."""
        if result.staged is not None:
            self.writer.commit(result.staged)
        self.note(map(self._with_cause, result.records))
        self.rejected.add(result.rejected)
        self.redacted += result.redacted
        self.masked += result.masked
        self.refused_fields |= result.refused_fields
        self.fatal = self.fatal or result.fatal
        self.figures["requests"] = self.figures.get("requests", 0) + result.requests
        if result.refusal is not None and not self._has_told_refusal:
            self._has_told_refusal = True
            self.warnings.append(f"the index could not be read, so ids were got one by one: {result.refusal}")
        self.keep_raw(result.raw)
        give_back_unused()

    def keep_raw(self, frame: bytes) -> None:
        """Append a batch to the archive; compressed frames one after the other are one compressed file.

        Args:
            frame: empty where no document is kept.
        """
        if not frame:
            return
        if self.raw is None:
            path = self.storage.layout.raw(self.run_id)
            self.storage.make_folder(path.parent, private=True)
            self.raw = self.storage.create(path, private=True)
        self.raw.write(frame)

    def _with_cause(self, record: IdRecord) -> IdRecord:
        """Say why an id was not asked for: the fetcher knows only that it was told to stop."""
        if self.stop.cause is None or record.reason != f"{NOT_ATTEMPTED}{INTERRUPTED}":
            return record
        return replace(record, reason=f"{NOT_ATTEMPTED}{self.stop.cause}")

    def finish(self) -> RunSummary:
        """Publish, or say why not; either way leave the record."""
        if self.outcomes.total() != self.requested:
            found = self.outcomes.total()
            msg = f"{self.requested} ids were requested, but {found} have an outcome: please report this"
            raise EtlError(msg)
        end = verdict(
            self.outcomes,
            answered=self.answered,
            attempted=self.attempted,
            fatal=self.fatal,
            stopped=self.stop.cause,
            strict=self.settings.strict,
            incomplete=len(self.incomplete),
            examples=examples_of(self),
        )
        if self.raw is not None:
            self.raw.close()
        self.end_stage("fetch")
        if end.publishes:
            forget_parts()
            plan = self.writer.plan(joins_files=self.joins_files)
            self.end_stage("plan")
            self.adopted = sum(1 for _ in plan.adopted_jobs()) - self.from_dead_runs
            closed = self.writer.publish(
                plan,
                run_record(self, end, self._final(plan), failed=self._to_retry(plan)),
                now=datetime.now(UTC),
                watermark=self.watermark,
                rewrite_rows=partial(redact_rows, exposed=self.settings.exposed),
                spread=EngineSpread(self.settings),
            )
            return run_summary(self, end, closed, plan)
        if end.discards:
            self.writer.discard()
        record = run_record(self, end, self._final(None), failed=self._to_retry(None))
        return run_summary(self, end, self.writer.record(record, RunState.FAILED, now=datetime.now(UTC)), None)

    def _to_retry(self, plan: PublishPlan | None) -> Iterator[IdRecord]:
        """Yield the final records of ids to be tried again; what a plan decides is never one of them."""
        if plan is None:
            yield from (record for record in self._final(None) if record.outcome in TO_RETRY)
            return
        for group in self.records.groups():
            yield from (record for record in group if record.outcome in TO_RETRY)

    def _final(self, plan: PublishPlan | None) -> Iterator[IdRecord]:
        """Yield the records with their final outcomes."""
        for group in self.records.groups():
            provisional = [record.id for record in group if record.outcome is Outcome.LOADED]
            fates = dict(zip(provisional, plan.fates_of(provisional) if plan else (), strict=False))
            for record in group:
                if record.outcome is not Outcome.LOADED:
                    yield record
                elif plan is None:
                    yield replace(record, outcome=Outcome.FAILED, reason=_STAGED)
                else:
                    yield replace(record, outcome=_outcome_of(record.id, fates[record.id]))


_STAGED = "not_published: fetched and staged; the next run adopts it"


def _outcome_of(job_id: str, fate: Fate | None) -> Outcome:
    if fate is None:
        msg = f"{job_id}: fetched, but in no staged batch: please report this"
        raise EtlError(msg)
    return Outcome.LOADED if fate.is_loaded else Outcome.UNCHANGED
