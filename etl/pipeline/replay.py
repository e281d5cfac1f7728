"""Saved documents to a published dataset, without a network: the same rows, outcomes and record as a run by ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from etl.extract.saved import SavedDocument, SavedProblem, read_saved
from etl.extract.walk.seen import SeenIds
from etl.load.reader import open_snapshot
from etl.model import IdRecord, Outcome
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.batch import BatchPlace, BatchResult, stage_rows
from etl.pipeline.opening import opened
from etl.pipeline.stop import Stop
from etl.transform.raw import raw_frame
from etl.transform.tables import Transformed, transform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from etl.pipeline.course import Course
    from etl.pipeline.summary import RunSummary
    from etl.settings import RunSettings

SOURCE = "replay"
"""The source of a dataset that saved documents began."""


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
        place = BatchPlace(
            output=course.output, run_id=course.run_id, provenance=course.provenance, keep_raw=settings.keep_raw
        )
        reading = _Reading(course=course, place=place)
        with stop.after(settings.deadline_s), progress(None, "documents", quiet=quiet) as shown:
            for item in saved:
                if stop.event.is_set():
                    break
                reading.take(item)
                shown.advance(1)
            reading.stage()
        if not course.requested:
            course.warnings.append("the files hold no document")
        if reading.repeats:
            course.warnings.append(f"{reading.repeats} documents repeat a job; the one fetched last counts")
        del reading  # what it remembers of the ids is no longer needed
        return course.finish()


@dataclass(kw_only=True, slots=True)
class _Reading:
    """Documents on their way into batches."""

    course: Course
    place: BatchPlace
    waiting: list[SavedDocument] = field(default_factory=list)
    seen: SeenIds = field(default_factory=SeenIds)
    number: int = 0
    repeats: int = 0

    def take(self, item: SavedDocument | SavedProblem) -> None:
        if isinstance(item, SavedProblem):
            self._count([IdRecord(id=item.place, outcome=Outcome.REJECTED, reason=item.reason)])
            return
        self.waiting.append(item)
        if len(self.waiting) >= self.course.settings.batch_size:
            self.stage()

    def stage(self) -> None:
        """Stage what waits as one batch."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        result = self._transform(waiting)
        refused = {item.position: item.reason for item in result.refused}
        ids = iter(result.tables["sync_jobs"]["job_id"].to_pylist())
        last = self._last_of_each(waiting, refused, result)
        if len(last) < len(waiting) - len(refused):
            kept = [item for position, item in enumerate(waiting) if position in last]
            staged = self._transform(kept)
        else:
            kept, staged = [item for position, item in enumerate(waiting) if position not in refused], result
        records = [
            IdRecord(id=item.place, outcome=Outcome.REJECTED, reason=refused[position])
            if position in refused
            else IdRecord(id=next(ids), outcome=Outcome.LOADED, fetched_at=item.document.fetched_at)
            for position, item in enumerate(waiting)
        ]
        documents = [item.document for item in kept]
        self.course.take(
            BatchResult(
                number=self.number,
                staged=stage_rows(self.place, self.number, staged, {}),
                records=(),
                rejected=(),
                redacted=result.redacted,
                masked=result.masked,
                refused_fields=result.refused_fields,
                raw=raw_frame(documents, self.course.settings.exposed) if self.place.keep_raw else b"",
            )
        )
        self.number += 1
        self._count(self._first_of_each(records))

    def _transform(self, items: Sequence[SavedDocument]) -> Transformed:
        return transform([item.document for item in items], self.course.settings.exposed)

    def _last_of_each(
        self, waiting: Sequence[SavedDocument], refused: Mapping[int, str], result: Transformed
    ) -> set[int]:
        """Return where the documents that count stand: of each job the one fetched last, of equal ones the later."""
        ids = iter(result.tables["sync_jobs"]["job_id"].to_pylist())
        newest: dict[str, int] = {}
        for position, item in enumerate(waiting):
            if position in refused:
                continue
            job_id = next(ids)
            before = newest.get(job_id)
            if before is None or item.document.fetched_at >= waiting[before].document.fetched_at:
                newest[job_id] = position
        return set(newest.values())

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
