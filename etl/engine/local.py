"""This machine: batches one after the other, each with as many requests under way as the connection allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event

Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Task = TypeVar("Task")
Result = TypeVar("Result")


class Work(Protocol[Task_contra, Result_co]):
    """A picklable description of what is done with each task."""

    def open(
        self, stop: Event, watch: Callable[[int, int], None]
    ) -> AbstractContextManager[Callable[[Task_contra], Result_co]]:
        """Open what all tasks share, such as connections, and return the function that does one task.

        Args:
            stop: set when no further request is to be made.
            watch: told the number of ids that have got their answers, and how many of these are failures.
        """


class LocalEngine:
    """Runs work here.

    Args:
        stop: ends the work early; tasks that are left are still given to it, to be accounted for.
        watch: told the number of ids that have got their answers, and how many of these are failures.
    """

    def __init__(self, stop: Event, watch: Callable[[int, int], None]) -> None:
        self._stop = stop
        self._watch = watch

    def run(self, work: Work[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield one result a task; tasks are taken one by one, so that they may be many."""
        with work.open(self._stop, self._watch) as do:
            for task in tasks:
                yield do(task)
