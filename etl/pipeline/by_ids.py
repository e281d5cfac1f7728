"""Ids to answers: what is settled is spared, the others are fetched batch by batch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from etl.engine.local import LocalEngine
from etl.model import IdRecord, Outcome, RequestedId
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.batch import BatchTask, BatchWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etl.extract.jobs_file import JobsFile
    from etl.pipeline.course import Course

_LOOKUP = 10_000  # ids looked up in the index at once


def fetch_ids(course: Course, work: BatchWork, jobs: JobsFile, *, quiet: bool) -> None:
    """Ask for every id that is not settled; each batch is staged before the next one begins."""
    course.requested = len(jobs.requested) + len(jobs.invalid)
    if not course.requested:
        course.warnings.append("the jobs file names no id")
    if jobs.repeats:
        course.warnings.append(f"{jobs.repeats} lines of the jobs file repeat an id; each id counts once")
    course.note(
        IdRecord(id=line.text, line=line.line, outcome=Outcome.INVALID, reason=line.problem) for line in jobs.invalid
    )
    LOGGER.info("run %s: %d ids from %s", course.run_id, course.requested, course.provenance.source)
    with progress(len(jobs.requested), "jobs", quiet=quiet) as shown:

        def watch(answers: int, failures: int) -> None:
            shown.advance(answers)
            course.count_failures(failures)

        engine = LocalEngine(course.stop.event, watch)
        for result in engine.run(work, _tasks(course, jobs, shown.advance)):
            course.take(result)


def _tasks(course: Course, jobs: JobsFile, advance: Callable[[int], None]) -> Iterator[BatchTask]:
    waiting: list[RequestedId] = []
    number = 0
    for requested in _unsettled(course, jobs, advance):
        waiting.append(requested)
        if len(waiting) == course.settings.batch_size:
            yield BatchTask(number=number, ids=tuple(waiting))
            number += 1
            waiting.clear()
    if waiting:
        yield BatchTask(number=number, ids=tuple(waiting))


def _unsettled(course: Course, jobs: JobsFile, advance: Callable[[int], None]) -> Iterator[RequestedId]:
    """Yield the ids to fetch, and note the others."""
    published, adopted = course.writer.published, course.writer.adopted
    every = iter(jobs.requested)
    while block := tuple(islice(every, _LOOKUP)):
        ids = [requested.id for requested in block]
        spared = (published.settled_of(ids) | adopted.settled_of(ids)) & (not course.settings.refresh)
        from_dead = adopted.lookup(ids) >= 0
        for requested, is_spared, is_from_dead in zip(block, spared, from_dead, strict=True):
            if not is_spared:
                yield requested
                continue
            # What a dead run fetched is not published yet: the plan decides, as for what this run fetches.
            course.from_dead_runs += bool(is_from_dead)
            outcome = Outcome.LOADED if is_from_dead else Outcome.UNCHANGED
            course.note([IdRecord(id=requested.id, line=requested.line, outcome=outcome)])
            advance(1)
