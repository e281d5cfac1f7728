"""Ids to answers: what is settled is spared, the others are fetched batch by batch, in the way that costs least."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Final

from etl.engine.local import workers_for
from etl.engine.start import prepare
from etl.extract.id_list import IdList
from etl.extract.walk.asking import Asking
from etl.extract.walk.course import WalkSettings
from etl.extract.walk.walk import Walk
from etl.model import AnswerKind, IdRecord, Outcome, RequestedId
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.batch import BatchWork
from etl.pipeline.feed import answer_tasks, do_all, id_tasks
from etl.pipeline.left import Left
from etl.pipeline.strategies import chosen
from etl.pipeline.times import time_of
from etl.settings import Engine, Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from etl.extract.client import Client
    from etl.extract.jobs_file import JobsFile
    from etl.model import Answer
    from etl.pipeline.batch import BatchTask
    from etl.pipeline.course import Course
    from etl.settings import Connection, RunSettings

_LOOKUP: Final = 10_000  # ids looked up in the index at once
MANY_A_REQUEST: Final = 2
"""How many jobs out of many in one answer cost what one by a request of its own costs."""


def fetch_ids(course: Course, work: BatchWork, jobs: JobsFile, client: Client, *, quiet: bool) -> None:
    """Ask for every id that is not settled; each batch is staged as soon as it is there.

    Args:
        course: of the run.
        work: how a batch is done; its strategy is chosen here.
        jobs: what is asked for.
        client: of the cluster, for what is asked beside the batches.
        quiet: no progress.
    """
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
        wanted: Sequence[RequestedId] = IdList(_unsettled(course, jobs, shown.advance))
        if len(wanted) == len(jobs.requested):
            wanted = jobs.requested  # the same ids, which are there once then
        way = chosen(course.settings.strategy, len(wanted), client, course.stop.event)
        LOGGER.info("%s", way.why)
        course.shown_settings["fetched_by"] = way.strategy
        course.figures |= {
            "requests": way.requests,
            "least_requests": way.least,
            "left_alone": len(jobs.requested) - len(wanted),
        }
        if way.strategy is Strategy.PAGE:
            asking = Asking(client, stop=course.stop.event, version=work.version)
            tasks = _by_page(course, asking, wanted, shown.advance)
        else:
            tasks = id_tasks(wanted, course.settings.batch_size, count())
        worth = len(wanted) if way.strategy is Strategy.GET else len(wanted) // MANY_A_REQUEST
        do_all(course, work.by(way.strategy), tasks, jobs=worth, shown=shown)


def foresee_workers(jobs: int, connection: Connection, settings: RunSettings) -> None:
    """Let the libraries of workers be loaded where a run will start some, unless most ids turn out to be settled."""
    local = settings.engine is Engine.LOCAL
    if local and (settings.workers or workers_for(jobs // MANY_A_REQUEST, concurrency=connection.concurrency)) > 1:
        prepare(BatchWork.__module__)


def _by_page(
    course: Course, asking: Asking, wanted: Sequence[RequestedId], advance: Callable[[int], None]
) -> Iterator[BatchTask]:
    """Yield batches of what the list of all jobs shows of the wanted ids, then of the ids that it does not show."""
    left = Left(wanted)
    walk = Walk(asking, WalkSettings(), time_of=time_of, skips=left.lacks)
    size, numbers = course.settings.batch_size, count()

    def shown() -> Iterator[list[tuple[RequestedId, Answer]]]:
        for group in walk.answers():
            # What the list shows broken is asked for alone, which tells what is wrong with it.
            found = left.take([answer for answer in group if answer.kind is AnswerKind.DOCUMENT])
            advance(len(found))
            yield found
            if not len(left):
                return

    yield from answer_tasks(shown(), size, numbers)
    report = walk.report()
    course.figures["requests"] += report.requests
    if report.fatal is not None:
        course.warnings.append(f"the list of all jobs could not be walked, so ids were got one by one: {report.fatal}")
    yield from id_tasks(left.rest(), size, numbers)


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
