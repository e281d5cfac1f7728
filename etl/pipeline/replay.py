"""Saved documents to a published dataset, without a network: the same rows, outcomes and record as a run by ids."""

from __future__ import annotations

from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, count, islice
from threading import Event
from typing import IO, TYPE_CHECKING, Any, Final

from etl.engine.local import LocalEngine, cores
from etl.engine.work import Steps, unwatched
from etl.extract.saved import SavedDocument, SavedProblem, read_saved
from etl.extract.walk.seen import SeenIds
from etl.load.pool import give_back_unused
from etl.load.reader import open_snapshot
from etl.model import IdRecord, Outcome
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.batch import BatchPlace, BatchResult, stage_rows
from etl.pipeline.feed import BATCH_BYTES
from etl.pipeline.opening import opened
from etl.pipeline.stop import Stop
from etl.transform.raw import raw_frame
from etl.transform.tables import Transformed, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from etl.pipeline.course import Course
    from etl.pipeline.summary import RunSummary
    from etl.settings import RunSettings

SOURCE = "replay"
"""The source of a dataset that saved documents began."""

_WORTH_WORKERS: Final = 8
"""Batches for which it is worth it to start workers: how many there will be shows only at the end."""


def replay(
    files: Sequence[Path | str],
    settings: RunSettings,
    *,
    stdin: IO[bytes],
    stop: Stop | None = None,
    quiet: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> RunSummary:
    """Transform saved documents and publish what came.

    Args:
        files: to read, and `-` for standard input.
        settings: of the run; without a source it is that of the dataset, if there is one.
        stdin: standard input.
        stop: ends the run in order when it is requested.
        quiet: no progress.
        inputs: what was asked for, for the run's manifest.

    Returns:
        The summary. Each job counts once, and so does each place where there should have been a document.

    Raises:
        UsageError: a file cannot be read, or the dataset is another source's.
        LockedError: another run holds the lock.
        OutputError: the dataset cannot be read or written.
    """
    stop = stop or Stop()
    started = datetime.now(UTC)
    saved = read_saved(files, stdin=stdin, now=started)
    snapshot = open_snapshot(settings.output)
    source = settings.source or (snapshot.manifest.origin.source if snapshot else SOURCE)
    with opened(settings, source, started=started, stop=stop, inputs=dict(inputs or {}), shown_settings={}) as course:
        LOGGER.info("run %s: saved documents of %s", course.run_id, source)
        work = ReplayWork(
            output=course.output, run_id=course.run_id, provenance=course.provenance, keep_raw=settings.keep_raw
        )
        reading = _Reading(course=course)
        with stop.after(settings.deadline_s), progress(None, "documents", quiet=quiet) as shown:
            tasks = reading.tasks(saved, shown.advance)
            first = deque(islice(tasks, _WORTH_WORKERS))
            workers = course.settings.workers or (cores() if len(first) == _WORTH_WORKERS else 1)
            never = Event()  # what has been read is staged, for the next run to adopt
            every = chain(_taken(first), tasks)
            with closing(LocalEngine(never, unwatched, workers=workers).run(work, every)) as results:
                for result in results:
                    reading.take(result)
        if not course.requested:
            course.warnings.append("the files hold no document")
        if reading.repeats:
            course.warnings.append(f"{reading.repeats} documents repeat a job; the one fetched last counts")
        del reading  # what it remembers of the ids is no longer needed
        return course.finish()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayTask:
    """Documents to be staged as one batch.

    Attributes:
        number: of the batch, in the order of the files.
        documents: with the places where they stand.
    """

    number: int
    documents: tuple[SavedDocument, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayWork(BatchPlace):
    """What all batches of saved documents share; picklable, so that a batch is staged in any program."""

    @contextmanager
    def open(self, stop: Event, watch: Callable[[int, int], None]) -> Iterator[Steps[ReplayTask, BatchResult]]:  # noqa: ARG002 - as `Work` has it
        """See `etl.engine.work.Work`: nothing is fetched."""
        yield Steps(fetch=lambda task: task, stage=self._stage)

    def again(self, task: ReplayTask) -> ReplayTask:
        """Return the task; see `etl.engine.work.Work`."""
        return task

    def _stage(self, task: ReplayTask, _: ReplayTask) -> BatchResult:
        documents = task.documents
        result = self._transform(documents)
        refused = {item.position: item.reason for item in result.refused}
        ids = iter(result.tables["sync_jobs"]["job_id"].to_pylist())
        records = tuple(
            IdRecord(id=item.place, outcome=Outcome.REJECTED, reason=refused[position])
            if position in refused
            else IdRecord(id=next(ids), outcome=Outcome.LOADED, fetched_at=item.document.fetched_at)
            for position, item in enumerate(documents)
        )
        kept = _last_of_each(records)
        # Of a job that stands here twice, the rows of the older document are not made at all.
        twice = len(kept) < len(documents) - len(refused)
        staged = self._transform([documents[position] for position in kept]) if twice else result
        raw = [documents[position].document for position in kept] if self.keep_raw else []
        made = BatchResult(
            number=task.number,
            staged=stage_rows(self, task.number, staged, {}),
            records=records,
            rejected=(),
            redacted=result.redacted,
            masked=result.masked,
            refused_fields=result.refused_fields,
            raw=raw_frame(raw, frozenset(self.provenance.exposed)),
        )
        give_back_unused()
        return made

    def _transform(self, items: Sequence[SavedDocument]) -> Transformed:
        return transform([item.document for item in items], frozenset(self.provenance.exposed))


def _last_of_each(records: Sequence[IdRecord]) -> list[int]:
    """Return where the documents that count stand: of each job the one fetched last, of equal ones the later."""
    newest: dict[str, int] = {}
    for position, record in enumerate(records):
        if record.outcome is not Outcome.LOADED or record.fetched_at is None:
            continue
        before = records[newest[record.id]].fetched_at if record.id in newest else None
        if before is None or record.fetched_at >= before:
            newest[record.id] = position
    return sorted(newest.values())


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What is read and what became of it, document by document."""

    course: Course
    seen: SeenIds = field(default_factory=SeenIds)
    repeats: int = 0
    archived: dict[int, bytes] = field(default_factory=dict)
    next: int = 0

    def tasks(
        self, saved: Iterable[SavedDocument | SavedProblem], advance: Callable[[int], None]
    ) -> Iterator[ReplayTask]:
        """Yield what is read as batches, until the run is asked to end; problems are counted at once."""
        numbers = count()
        waiting: list[SavedDocument] = []
        held = 0
        for item in saved:
            if self.course.stop.event.is_set():
                break
            advance(1)
            if isinstance(item, SavedProblem):
                self._count([IdRecord(id=item.place, outcome=Outcome.REJECTED, reason=item.reason)])
                continue
            waiting.append(item)
            held += len(item.document.raw)
            if len(waiting) >= self.course.settings.batch_size or held >= BATCH_BYTES:
                yield ReplayTask(number=next(numbers), documents=tuple(waiting))
                waiting, held = [], 0
        if waiting:
            yield ReplayTask(number=next(numbers), documents=tuple(waiting))

    def take(self, result: BatchResult) -> None:
        """Let a batch exist, and count its documents."""
        self.course.take(replace(result, records=(), raw=b""))
        self._count(self._first_of_each(result.records))
        # The archive has the documents in their order, which tells which of two counts that were fetched at once.
        self.archived[result.number] = result.raw
        while self.next in self.archived:
            self.course.keep_raw(self.archived.pop(self.next))
            self.next += 1

    def _first_of_each(self, records: Sequence[IdRecord]) -> list[IdRecord]:
        """Return the records of jobs that have none yet, and those of places without a document."""
        first: list[IdRecord] = []
        for record in records:
            if record.outcome is Outcome.LOADED and not self.seen.add(record.id):
                self.repeats += 1
                continue
            first.append(record)
        return first

    def _count(self, records: Sequence[IdRecord]) -> None:
        self.course.requested += len(records)
        self.course.note(records)
        self.course.count_failures(sum(record.outcome is Outcome.REJECTED for record in records))


def _taken(tasks: deque[ReplayTask]) -> Iterator[ReplayTask]:
    """Yield tasks, of which nothing is kept."""
    while tasks:
        yield tasks.popleft()
