"""Tasks to the engine, and its results into the course of the run."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from etl.engine.local import LocalEngine, workers_for
from etl.pipeline.batch import BatchTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from etl.model import RequestedId
    from etl.observe.progress import Progress
    from etl.pipeline.batch import BatchWork
    from etl.pipeline.course import Course


def do_all(course: Course, work: BatchWork, tasks: Iterable[BatchTask], *, jobs: int, shown: Progress) -> None:
    """Do all tasks, on as many workers as are worth it; each batch is staged before the run counts on it.

    Args:
        course: of the run.
        work: what is done with each task.
        tasks: made in this thread, while others are done.
        jobs: to be fetched by requests of their own, or as many as cost the same.
        shown: the progress, told of ids that are fetched.

    Raises:
        OutputError: the disk is full, or refuses.
        EtlError: workers die over one batch again and again.
    """

    def watch(answers: int, failures: int) -> None:
        shown.advance(answers)
        course.count_failures(failures)

    workers = course.settings.workers or workers_for(jobs, concurrency=work.connection.concurrency)
    engine = LocalEngine(course.stop.event, watch, workers=workers)
    with closing(engine.run(work.shared_by(workers), tasks)) as results:
        for result in results:
            course.take(result)


def id_tasks(ids: Sequence[RequestedId], size: int, first: int) -> Iterator[BatchTask]:
    """Yield ids to be fetched, so many at a time, in batches that are numbered from `first`."""
    for number, begin in enumerate(range(0, len(ids), size), start=first):
        yield BatchTask(number=number, ids=tuple(ids[begin : begin + size]))
