"""Tasks to the engine, and its results into the course of the run."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from etl.engine.local import LocalEngine, workers_for
from etl.pipeline.batch import BatchTask
from etl.settings import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from etl.model import Answer, RequestedId
    from etl.observe.progress import Progress
    from etl.pipeline.batch import BatchResult, BatchWork
    from etl.pipeline.course import Course

BATCH_BYTES: Final = 2 << 20
"""Of documents that are there already, from which on a batch is large enough, whatever number of ids it has."""


def do_all(course: Course, work: BatchWork, tasks: Iterable[BatchTask], *, jobs: int, shown: Progress) -> None:
    """Do all tasks, on a cluster or as many workers as are worth it; a batch is staged before the run counts on it.

    Args:
        course: of the run.
        work: what is done with each task.
        tasks: made in this thread, while others are done.
        jobs: to be fetched by requests of their own, or as many as cost the same.
        shown: the progress, told of ids that are fetched.

    Raises:
        OutputError: the disk is full, or refuses.
        EtlError: workers die over one batch again and again; or see `etl.engine.cluster.ClusterEngine`.
    """

    def watch(answers: int, failures: int) -> None:
        shown.advance(answers)
        course.count_failures(failures)

    with closing(_results(course, work, tasks, watch, jobs=jobs)) as results:
        for result in results:
            course.take(result)


def _results(
    course: Course, work: BatchWork, tasks: Iterable[BatchTask], watch: Callable[[int, int], None], *, jobs: int
) -> Generator[BatchResult, None, None]:
    stop, concurrency = course.stop.event, work.connection.concurrency
    if course.settings.engine is Engine.DASK:
        from etl.engine.cluster import ClusterEngine  # noqa: PLC0415 - needs the extra

        scheduler = course.settings.dask_scheduler or ""
        return ClusterEngine(stop, watch, scheduler=scheduler, concurrency=concurrency).run(work, tasks)
    workers = course.settings.workers or workers_for(jobs, concurrency=concurrency)
    return LocalEngine(stop, watch, workers=workers).run(work.shared_by(workers), tasks)


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
