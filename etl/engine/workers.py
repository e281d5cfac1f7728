"""The worker programs of a run: started, fed, listened to, and replaced where one dies."""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

from etl.engine.messages import Do, Done, Failed, Halt, Logged, NoMore, Progress
from etl.engine.start import CONTEXT, started
from etl.engine.worker import serve
from etl.errors import EtlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from threading import Event

    from etl.engine.work import Result, Task, Work

_AHEAD: Final = 2  # tasks given to a worker: one is staged while the other is fetched
_LOOK_EVERY_S: Final = 0.1
_LIVES: Final = 3
"""Workers that a task may cost: one that dies for it may have been killed by chance, three were not."""

_END_WITHIN_S: Final = 10.0
_LOGGERS: Final = ("", "etl")


def in_workers(
    work: Work[Task, Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    stop: Event,
    watch: Callable[[int, int], None],
) -> Iterator[Result]:
    """Yield one result a task, as they come.

    A worker that dies is replaced, and does not cost its tasks: they are given out again.

    Args:
        work: what is done with each task.
        tasks: taken one by one, in this thread, as there is room for them.
        workers: number of programs.
        stop: ends the work early; tasks that are left are still given out, to be accounted for.
        watch: told answers and failures; less than nothing, where what a dead worker had told is done again.

    Raises:
        EtlError: workers die over the same task again and again; or whatever ended a worker.
    """
    crew = _Crew(work, workers, stop, watch)
    try:
        yield from crew.run(iter(tasks))
    finally:
        crew.close()


@dataclass(kw_only=True, slots=True, eq=False)
class _Given:
    """A task that a worker has.

    Attributes:
        task: to be given out where the worker dies.
        lives: workers that it may still cost.
        told: answers and failures that were told of it.
    """

    task: Any
    lives: int = _LIVES
    told: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True, slots=True, eq=False)
class _Worker:
    """One program.

    Attributes:
        program: itself.
        pipe: to it.
        given: its tasks that have no result yet, in order.
        finished: number of its tasks that have one.
        has_all: whether it knows that no more come.
    """

    program: BaseProcess
    pipe: Connection[Any, Any]
    given: deque[_Given] = field(default_factory=deque)
    finished: int = 0
    has_all: bool = False


class _Crew:
    """The workers of a run."""

    def __init__(self, work: Work[Any, Any], size: int, stop: Event, watch: Callable[[int, int], None]) -> None:
        self._work = work
        self._stop = stop
        self._watch = watch
        self._is_halted = False
        self._workers = [self._start() for _ in range(size)]

    def run(self, tasks: Iterator[Any]) -> Iterator[Any]:
        """Yield results until there is one for every task."""
        is_over = False
        while True:
            while not is_over and (worker := self._with_room()) is not None:
                try:
                    task = next(tasks)
                except StopIteration:
                    is_over = True
                    break
                self._give(worker, task, _Given(task=self._work.again(task)))
                del task  # it may be large, and the worker has it
            if is_over:
                for worker in self._workers:
                    self._say_all(worker)
            if not any(worker.given for worker in self._workers):
                return
            yield from self._listen(is_over=is_over)

    def close(self) -> None:
        """End the workers; those that are still at work are not waited for."""
        for worker in self._workers:
            worker.pipe.close()  # which ends it at once
        for worker in self._workers:
            worker.program.join(_END_WITHIN_S)
            if worker.program.is_alive():
                worker.program.kill()
                worker.program.join()
            worker.program.close()

    def _start(self) -> _Worker:
        ours, theirs = CONTEXT.Pipe()
        levels = {name: logging.getLogger(name).level for name in _LOGGERS}
        program = started(serve, (theirs, self._work, levels), type(self._work).__module__)
        theirs.close()  # or its end would not be seen here
        worker = _Worker(program=program, pipe=ours)
        if self._is_halted:
            self._send(worker, Halt())
        return worker

    def _with_room(self) -> _Worker | None:
        worker = min(self._workers, key=lambda worker: len(worker.given))
        return worker if len(worker.given) < _AHEAD else None

    def _give(self, worker: _Worker, task: Any, given: _Given) -> None:  # noqa: ANN401 - any work's task
        worker.given.append(given)
        self._send(worker, Do(task))

    def _say_all(self, worker: _Worker) -> None:
        if not worker.has_all:
            worker.has_all = True
            self._send(worker, NoMore())

    def _send(self, worker: _Worker, message: object) -> None:
        try:
            worker.pipe.send(message)
        except OSError:
            return  # it has died, which is seen when it is listened to

    def _listen(self, *, is_over: bool) -> Iterator[Any]:
        """Take what workers say, and yield results among it."""
        ready = wait([worker.pipe for worker in self._workers if worker.given], _LOOK_EVERY_S)
        if self._stop.is_set() and not self._is_halted:
            self._is_halted = True
            for worker in self._workers:
                self._send(worker, Halt())
        for worker in [worker for worker in self._workers if worker.pipe in ready]:
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._replace(worker, is_over=is_over)
                continue
            match message:
                case Progress(position, answers, failures):
                    told = worker.given[position - worker.finished].told
                    told.update(answers=answers, failures=failures)
                    self._watch(answers, failures)
                case Done(result):
                    worker.given.popleft()
                    worker.finished += 1
                    yield result
                case Logged(record):
                    logging.getLogger(record.name).handle(record)
                case Failed(error):
                    raise error

    def _replace(self, dead: _Worker, *, is_over: bool) -> None:
        self._workers.remove(dead)
        dead.program.join(_END_WITHIN_S)
        code = dead.program.exitcode
        dead.pipe.close()
        dead.program.close()
        left = dead.given
        for given in left:
            self._watch(-given.told["answers"], -given.told["failures"])
            given.told.clear()
        if left:
            left[0].lives -= 1  # it may have died of the second one, which is soon the first
        if left and left[0].lives <= 0:
            msg = (
                f"{_LIVES} worker programs died over the same batch, the last with exit code {code} (-9 is often the "
                "system's want of memory): try a smaller --batch-size, or --workers 1"
            )
            raise EtlError(msg)
        worker = self._start()
        self._workers.append(worker)
        for given in left:
            self._give(worker, given.task, given)
        if is_over:
            self._say_all(worker)
