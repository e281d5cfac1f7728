"""Tasks to the engine, and its results into the course of the run."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from etl.engine.local import LocalEngine, workers_for
from etl.pipeline.batch import BatchTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from etl.model import Answer, RequestedId
    from etl.observe.progress import Progress
    from etl.pipeline.batch import BatchWork
    from etl.pipeline.course import Course

BATCH_BYTES: Final = 2 << 20
"""Of documents that are there already, from which on a batch is large enough, whatever number of ids it has."""


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


def id_tasks(ids: Sequence[RequestedId], size: int, numbers: Iterator[int]) -> Iterator[BatchTask]:
    """Yield ids to be fetched, so many at a time.

    Args:
        ids: each once.
        size: most ids of a batch.
        numbers: of the batches.
    """
    for begin in range(0, len(ids), size):
        yield BatchTask(number=next(numbers), ids=tuple(ids[begin : begin + size]))


def answer_tasks(
    groups: Iterable[Iterable[tuple[RequestedId, Answer]]], size: int, numbers: Iterator[int]
) -> Iterator[BatchTask]:
    """Yield ids with the answers that are there already.

    Args:
        groups: as they come.
        size: most ids of a batch, which has fewer where their documents are large.
        numbers: of the batches.
    """
    waiting: list[tuple[RequestedId, Answer]] = []
    held = 0
    for group in groups:
        for pair in group:
            waiting.append(pair)
            held += len(pair[1].body or b"")
            if len(waiting) >= size or held >= BATCH_BYTES:
                yield _answered(waiting, next(numbers))
                waiting, held = [], 0
    if waiting:
        yield _answered(waiting, next(numbers))


def _answered(found: Sequence[tuple[RequestedId, Answer]], number: int) -> BatchTask:
    ids, answers = zip(*found, strict=True)
    return BatchTask(number=number, ids=ids, answers=answers)
