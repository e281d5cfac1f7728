"""What an engine runs: tasks in, results out, in two steps of which the second never keeps the first one waiting."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD: Final = 1  # tasks fetched and not yet staged, beside the one that is fetched: memory stays bounded


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps(Generic[Task, Result]):
    """The two halves of a task.

    Attributes:
        fetch: waits for others, such as a cluster; called for one task after the other, by one thread.
        stage: makes the result out of a task and what was fetched for it; called in the same order, by another thread.
    """

    fetch: Callable[[Task], Any]
    stage: Callable[[Task, Any], Result]


class Work(Protocol[Task, Result]):
    """A picklable description of what is done with each task."""

    def open(self, stop: Event, watch: Callable[[int, int], None]) -> AbstractContextManager[Steps[Task, Result]]:
        """Open what all tasks share, such as connections, and return the steps of each.

        Args:
            stop: set when no further request is to be made.
            watch: told, while a task is fetched, the number of ids that have got their answers, and how many of these
                are failures.
        """

    def again(self, task: Task) -> Task:
        """Return what is given out where a worker died over a task: the run remembers no more of it meanwhile."""


class WorkAbroad(Work[Task, Result], Protocol):
    """Work that can be done on another machine. It holds no secret: that machine fills in its own."""

    def check(self) -> None:
        """Look whether this machine can do the work.

        Raises:
            EtlError: it cannot; the message says what to do about it there.
        """

    def secrets(self) -> Iterable[str]:
        """Return the secrets that this machine fills in, which no text from here may show."""


class PortableWork(Work[Task, Result], Protocol):
    """Work that may leave this machine."""

    def abroad(self, shares: int) -> WorkAbroad[Task, Result]:
        """Return what may leave: the work of one of so many at once, which share what is bounded."""


def unwatched(_answers: int, _failures: int) -> None:
    """Watch nothing, for tasks that fetch nothing."""


def overlapped(steps: Steps[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Yield the results in order; while one task is staged, the next ones are fetched."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="stage") as stager:
        pending: deque[Future[Result]] = deque()
        for task in tasks:
            try:
                fetched = steps.fetch(task)
            except Exception:
                while pending:  # what is fetched by now counts; only a second signal waits for nothing
                    yield pending.popleft().result()
                raise
            while pending and (len(pending) >= _AHEAD or pending[0].done()):
                yield pending.popleft().result()
            pending.append(stager.submit(steps.stage, task, fetched))
            del fetched
        while pending:
            yield pending.popleft().result()
