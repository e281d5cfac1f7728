"""The main job: fetch ids, transform, stage, and publish; every id ends in exactly one outcome."""

from __future__ import annotations

import math
import platform
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from itertools import islice
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etl.engine.local import LocalEngine
from etl.errors import EtlError, InterruptedRunError, TerminatedRunError, UnreachableError
from etl.extract.client import Client
from etl.extract.cluster import ClusterFacts, cluster_facts
from etl.extract.fetch import NOT_ATTEMPTED
from etl.extract.jobs_file import JobsFile, format_jobs
from etl.load.layout import new_run_id
from etl.load.manifest import RunState
from etl.load.prune import Retention
from etl.load.runs import FAILED, RunRecord
from etl.load.storage import Storage
from etl.load.writer import Closing, Opening, Writer
from etl.model import IdRecord, Outcome, Provenance, RequestedId
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.batch import BatchResult, BatchTask, BatchWork
from etl.pipeline.spool import Spool
from etl.pipeline.stop import Stop, StopCause
from etl.pipeline.summary import RunSummary
from etl.pipeline.verdict import Verdict, verdict
from etl.schema.arrow import schema_fingerprint
from etl.schema.tables import TABLES
from etl.transform.redact import REDACTOR_VERSION
from etl.transform.rewrite import redact_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from etl.load.plan import PublishPlan
    from etl.load.staged import Fate
    from etl.settings import Connection, RunSettings

_LOOKUP = 10_000  # ids looked up in the index at once


def run(
    jobs: JobsFile,
    connection: Connection,
    settings: RunSettings,
    *,
    stop: Stop | None = None,
    quiet: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> RunSummary:
    """Fetch the ids of a jobs file and publish what came.

    Args:
        jobs: what is asked for.
        connection: to the cluster.
        settings: of the run.
        stop: ends the run in order when it is requested.
        quiet: no progress.
        inputs: what was asked for, for the run's manifest.

    Returns:
        The summary; its exit code tells how the run ended, also where nothing was published.

    Raises:
        UsageError: the dataset is another source's.
        LockedError: another run holds the lock, or has published meanwhile.
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        OutputError: the dataset cannot be read or written.
        InterruptedRunError: SIGINT came before the run had begun; TerminatedRunError: SIGTERM did.
    """
    stop = stop or Stop()
    started = datetime.now(UTC)
    run_id = new_run_id(started, SystemRandom())
    with Client(connection) as client:
        facts = _facts(client, stop)
    provenance = Provenance(
        source=settings.source or facts.uuid or urlsplit(connection.url).netloc,
        schema_fingerprint=schema_fingerprint(),
        redactor_version=REDACTOR_VERSION,
        exposed=tuple(sorted(settings.exposed)),
    )
    opening = Opening(
        run_id=run_id,
        now=started,
        provenance=provenance,
        formats=settings.formats,
        csv_raw=settings.csv_raw,
        settle=timedelta(seconds=settings.settle_s),
        retention=Retention(
            snapshots=settings.keep_snapshots,
            superseded=timedelta(hours=settings.keep_hours),
            runs=settings.keep_runs,
        ),
    )
    work = BatchWork(
        connection=connection,
        version=facts.version,
        output=settings.output.absolute(),
        run_id=run_id,
        provenance=provenance,
    )
    records: Spool[IdRecord] = Spool()
    rejected: Spool[bytes] = Spool()
    with (
        closing(records),
        closing(rejected),
        Writer.open(Storage(work.output, mode=settings.output_mode), opening) as writer,
    ):
        course = _Course(
            jobs=jobs,
            work=work,
            settings=settings,
            writer=writer,
            stop=stop,
            started=started,
            records=records,
            rejected=rejected,
            inputs=dict(inputs or {}),
        )
        with stop.after(settings.deadline_s):
            course.fetch(quiet=quiet)
        return course.finish()


def _facts(client: Client, stop: Stop) -> ClusterFacts:
    try:
        facts = cluster_facts(client, stop=stop.event)
    except UnreachableError:
        _end_if_stopped(stop)  # the stop broke off the waiting for an answer
        raise
    _end_if_stopped(stop)
    return facts


def _end_if_stopped(stop: Stop) -> None:
    if stop.cause is not None:
        kind = TerminatedRunError if stop.cause is StopCause.TERMINATED else InterruptedRunError
        msg = "stopped before the first id was asked for"
        raise kind(msg)


@dataclass(kw_only=True, slots=True)
class _Course:
    """The state of one run between its steps."""

    jobs: JobsFile
    work: BatchWork
    settings: RunSettings
    writer: Writer
    stop: Stop
    started: datetime
    records: Spool[IdRecord]
    rejected: Spool[bytes]
    inputs: dict[str, Any]
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    answered: int = 0
    attempted: int = 0
    to_fetch: int = 0
    from_dead_runs: int = 0
    adopted: int = 0
    redacted: int = 0
    masked: int = 0
    failures: int = 0
    refused_fields: set[str] = field(default_factory=set)
    fatal: EtlError | None = None

    @property
    def requested(self) -> int:
        return len(self.jobs.requested) + len(self.jobs.invalid)

    def fetch(self, *, quiet: bool) -> None:
        """Ask for every id that is not settled, batch by batch; each batch is staged before the next one begins."""
        self._note(
            IdRecord(id=line.text, line=line.line, outcome=Outcome.INVALID, reason=line.problem)
            for line in self.jobs.invalid
        )
        LOGGER.info("run %s: %d ids from %s", self.work.run_id, self.requested, self.work.provenance.source)
        with progress(len(self.jobs.requested), "jobs", quiet=quiet) as shown:

            def watch(answers: int, failures: int) -> None:
                shown.advance(answers)
                self.failures += failures
                if self.failures > self.most_failures:
                    self.stop.request(StopCause.FAILURES)

            engine = LocalEngine(self.stop.event, watch)
            for result in engine.run(self.work, self._tasks(shown.advance)):
                self._take(result)

    @property
    def most_failures(self) -> float:
        allowed = self.settings.max_failures
        return math.inf if allowed is None else allowed.of(self.requested)

    def _tasks(self, advance: Any) -> Iterator[BatchTask]:  # noqa: ANN401 - a function of an int
        waiting: list[RequestedId] = []
        number = 0
        for requested in self._unsettled(advance):
            waiting.append(requested)
            if len(waiting) == self.settings.batch_size:
                yield BatchTask(number=number, ids=tuple(waiting))
                number += 1
                waiting.clear()
        if waiting:
            yield BatchTask(number=number, ids=tuple(waiting))

    def _unsettled(self, advance: Any) -> Iterator[RequestedId]:  # noqa: ANN401 - a function of an int
        """Yield the ids to fetch, and note the others."""
        every = iter(self.jobs.requested)
        while block := tuple(islice(every, _LOOKUP)):
            ids = [requested.id for requested in block]
            published = self.writer.published.settled_of(ids)
            spared = (published | self.writer.adopted.settled_of(ids)) & (not self.settings.refresh)
            from_dead = self.writer.adopted.lookup(ids) >= 0
            for requested, is_spared, is_from_dead in zip(block, spared, from_dead, strict=True):
                if not is_spared:
                    self.to_fetch += 1
                    yield requested
                    continue
                # What a dead run fetched is not published yet: the plan decides, as for what this run fetches.
                self.from_dead_runs += bool(is_from_dead)
                outcome = Outcome.LOADED if is_from_dead else Outcome.UNCHANGED
                self._note([IdRecord(id=requested.id, line=requested.line, outcome=outcome)])
                advance(1)

    def _note(self, records: Any) -> None:  # noqa: ANN401 - an iterable of records
        group = tuple(records)
        self.records.add(group)
        self.outcomes.update(record.outcome for record in group)
        self.answered += sum(record.http_status is not None for record in group)
        self.attempted += sum(record.attempts > 0 for record in group)

    def _take(self, result: BatchResult) -> None:
        if result.staged is not None:
            self.writer.commit(result.staged)
        self._note(map(self._with_cause, result.records))
        self.rejected.add(result.rejected)
        self.redacted += result.redacted
        self.masked += result.masked
        self.refused_fields |= result.refused_fields
        self.fatal = self.fatal or result.fatal

    def _with_cause(self, record: IdRecord) -> IdRecord:
        """Say why an id was not asked for: the fetcher knows only that it was told to stop."""
        if self.stop.cause is None or record.reason != f"{NOT_ATTEMPTED}{StopCause.INTERRUPTED}":
            return record
        return replace(record, reason=f"{NOT_ATTEMPTED}{self.stop.cause}")

    def finish(self) -> RunSummary:
        """Publish, or say why not; either way leave the record."""
        if self.outcomes.total() != self.requested:
            msg = (
                f"{self.requested} ids were requested, but {self.outcomes.total()} have an outcome: please report this"
            )
            raise EtlError(msg)
        end = verdict(
            self.outcomes,
            answered=self.answered,
            attempted=self.attempted,
            fatal=self.fatal,
            stopped=self.stop.cause,
            strict=self.settings.strict,
        )
        if end.publishes:
            plan = self.writer.plan()
            self.adopted = sum(1 for _ in plan.adopted_jobs()) - self.from_dead_runs
            closed = self.writer.publish(
                plan,
                self._record(end, plan),
                now=datetime.now(UTC),
                rewrite_rows=partial(redact_rows, exposed=self.settings.exposed),
            )
            return self._summary(end, closed, plan)
        if end.discards:
            self.writer.discard()
        closed = self.writer.record(self._record(end, None), RunState.FAILED, now=datetime.now(UTC))
        return self._summary(end, closed, None)

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

    def _record(self, end: Verdict, plan: PublishPlan | None) -> RunRecord:
        to_retry = (
            (record.id, record.reason)
            for record in self._final(plan)
            if record.outcome in {Outcome.FAILED, Outcome.REJECTED}
        )
        connection = self.work.connection
        return RunRecord(
            source=self.work.provenance.source,
            started_at=self.started,
            ended_at=datetime.now(UTC),
            exit_code=end.exit_code,
            outcomes=self._final(plan),
            failed=format_jobs(to_retry),
            rejected=(line for group in self.rejected.groups() for line in group),
            inputs={**self.inputs, "requested": self.requested, "repeats": self.jobs.repeats},
            settings={
                "url": connection.url,
                "concurrency": connection.concurrency,
                "formats": list(self.settings.formats),
                "csv_raw": self.settings.csv_raw,
                "exposed": sorted(self.settings.exposed),
                "settle_s": self.settings.settle_s,
                "refresh": self.settings.refresh,
                "strict": self.settings.strict,
                "batch_size": self.settings.batch_size,
                "max_failures": None if self.settings.max_failures is None else str(self.settings.max_failures),
                "deadline_s": self.settings.deadline_s,
            },
            counts={
                "fetched": self.to_fetch,
                "redacted": self.redacted,
                "masked": self.masked,
                "adopted": self.adopted,
            },
            versions={"etl": _version("sync-jobs-etl"), "python": platform.python_version()}
            | {name: _version(name) for name in ("pyarrow", "pandas", "requests")},
        )

    def _summary(self, end: Verdict, closed: Closing, plan: PublishPlan | None) -> RunSummary:
        published = closed.snapshot or (self.writer.recovered.snapshot and self.writer.recovered.snapshot.manifest)
        tables = published.tables if published else {}
        outcomes = closed.run.outcomes
        retry = outcomes.get(Outcome.FAILED, 0) + outcomes.get(Outcome.REJECTED, 0)
        return RunSummary(
            run_id=self.work.run_id,
            exit_code=end.exit_code,
            output=self.work.output,
            source=self.work.provenance.source,
            snapshot=closed.run.snapshot,
            requested=self.requested,
            outcomes={outcome.value: outcomes.get(outcome.value, 0) for outcome in Outcome},
            rows={table.name: tables[table.name].rows if table.name in tables else 0 for table in TABLES},
            redacted=self.redacted,
            masked=self.masked,
            adopted=self.adopted,
            problem=end.problem,
            warnings=tuple(self._warnings(plan)),
            failed_file=self.work.output / "runs" / self.work.run_id / FAILED if retry else None,
            elapsed_s=(datetime.now(UTC) - self.started).total_seconds(),
        )

    def _warnings(self, plan: PublishPlan | None) -> Iterator[str]:
        recovered = self.writer.recovered
        if not self.requested:
            yield "the jobs file names no id"
        if self.jobs.repeats:
            yield f"{self.jobs.repeats} lines of the jobs file repeat an id; each id counts once"
        if self.refused_fields:
            names = ", ".join(sorted(self.refused_fields))
            yield f"not exposed, since flagged as sensitive or named like a secret: {names}"
        if plan is not None and plan.loaded_before_widening:
            yield (
                f"{plan.loaded_before_widening} jobs were loaded while fewer fields were exposed and stay as they are; "
                "--refresh fetches them again"
            )
        if recovered.replaces_sandbox:
            yield "the demo's data were replaced"
        if recovered.adopted:
            yield f"{len(recovered.adopted)} batches of runs that died were adopted"
        if recovered.refused_jobs:
            yield (
                f"{recovered.refused_jobs} jobs staged by a run that died under other settings were dropped; those "
                "asked for were fetched again"
            )


_STAGED = "not_published: fetched and staged; the next run adopts it"


def _outcome_of(job_id: str, fate: Fate | None) -> Outcome:
    if fate is None:
        msg = f"{job_id}: fetched, but in no staged batch: please report this"
        raise EtlError(msg)
    return Outcome.LOADED if fate.is_loaded else Outcome.UNCHANGED


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # run from a folder of sources
        return "unknown"
