"""This machine: tasks here, or spread over worker programs where there are enough of them to be worth it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from etl.engine.work import Result, Task, Work, overlapped

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from threading import Event

_JOBS_A_WORKER: Final = 2_000
"""Jobs for which starting a worker is worth it: that costs about as much time as a thousand jobs take."""


def workers_for(jobs: int, *, concurrency: int) -> int:
    """Return how many worker programs so many jobs are worth on this machine; 1 is none, for the work is done here.

    Args:
        jobs: to be fetched, at least.
        concurrency: requests that may be under way at once, which the workers share.
    """
    return max(1, min(cores(), concurrency, jobs // _JOBS_A_WORKER))


def cores() -> int:
    """Return how many programs of this one's kind can work at once on this machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine:
    """Runs work on this machine.

    Args:
        stop: ends the work early; tasks that are left are still given to it, to be accounted for.
        watch: told the number of ids that have got their answers, and how many of these are failures.
        workers: programs that share the tasks; 1 runs them in this one.
    """

    def __init__(self, stop: Event, watch: Callable[[int, int], None], *, workers: int = 1) -> None:
        self._stop = stop
        self._watch = watch
        self._workers = workers

    def run(self, work: Work[Task, Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield one result a task; tasks are taken one by one, in this thread, as there is room for them.

        With several workers results come in any order.
        """
        if self._workers > 1:
            from etl.engine.workers import in_workers  # noqa: PLC0415 - short runs do not pay for it

            yield from in_workers(work, tasks, workers=self._workers, stop=self._stop, watch=self._watch)
            return
        with work.open(self._stop, self._watch) as steps:
            yield from overlapped(steps, tasks)
