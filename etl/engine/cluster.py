"""A Dask cluster: tasks go to its workers, which do them with their own credentials, on the same file system."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from distributed import Future, KilledWorker

from etl.engine import remote
from etl.engine.joining import WORKERS_WITHIN_S, check, joined, without_workers, workers_of
from etl.engine.lookout import Lookout, Sight
from etl.engine.sealed import Sealed
from etl.engine.told import Broken, Finished, Forsaken, Tally
from etl.engine.work import overlapped
from etl.errors import EtlError, UnreachableError
from etl.observe.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from threading import Event

    from distributed import Client

    from etl.engine.work import PortableWork, Result, Task

HALT_WITHIN_S: Final = 60.0
"""Seconds that tasks under way have after a stop; ids under way finish their request in that time, as a rule."""

_LOOK_EVERY_S: Final = 0.1
_RESULT_WITHIN_S: Final = 10.0


class ClusterEngine:
    """Runs work on the workers of a Dask cluster.

    Args:
        stop: ends the work early; tasks that are left are then done here, to be accounted for.
        watch: told the number of ids that have got their answers, and how many of these are failures; less than
            nothing, where what a dead worker had told is done again.
        scheduler: address of the cluster's scheduler.
        concurrency: what tasks under way share: never more than so much of it is given out.
    """

    def __init__(self, stop: Event, watch: Callable[[int, int], None], *, scheduler: str, concurrency: int) -> None:
        self._stop = stop
        self._watch = watch
        self._scheduler = scheduler
        self._concurrency = concurrency

    def run(self, work: PortableWork[Task, Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield one result a task, in any order; tasks are taken one by one, in this thread, as there is room for them.

        Raises:
            UnreachableError: the scheduler does not answer, or the cluster has no workers for a while.
            UsageError: scheduler or workers have other versions, or a worker has no credentials.
            OutputError: a worker does not see the output folder; or whatever ended a task.
            EtlError: workers die over the same task again and again; or whatever ended a task.
        """
        every = iter(tasks)
        with joined(self._scheduler) as client:
            threads = workers_of(client, self._scheduler)
            check(client, self._scheduler, Sealed(work.abroad(1)))
            crew = _Crew(client, self._scheduler, work, self._stop, self._watch, self._concurrency)
            try:
                yield from crew.run(every, sum(threads.values()))
            finally:
                crew.close()
            left = crew.left
        if self._stop.is_set():
            # No request is made any more: what is left is accounted for wherever that is done.
            with work.open(self._stop, self._watch) as steps:
                yield from overlapped(steps, chain(left, every))


@dataclass(kw_only=True, slots=True, eq=False)
class _Given:
    """A task that the cluster has.

    Attributes:
        number: of the task.
        task: to be given out again where need be.
        share: of the concurrency that it was given.
        future: Dask's.
        told: what was told of it.
    """

    number: int
    task: Any
    share: int
    future: Future
    told: Tally = field(default_factory=Tally)


class _Crew:
    """The tasks of a run on a cluster.

    Attributes:
        left: tasks that were given up, as a stop had no answer in time.
    """

    def __init__(
        self,
        client: Client,
        scheduler: str,
        work: PortableWork[Any, Any],
        stop: Event,
        watch: Callable[[int, int], None],
        concurrency: int,
    ) -> None:
        self.left: list[Any] = []
        self._client = client
        self._scheduler = scheduler
        self._work = work
        self._stop = stop
        self._watch = watch
        self._concurrency = concurrency
        self._run = uuid4().hex[:12]
        self._works: dict[int, Any] = {}
        self._given: dict[int, _Given] = {}
        self._next = 0
        self._threads = 0
        self._seen_workers_at = time.monotonic()
        self._halted_at: float | None = None
        self._said: SimpleQueue[Future | Sight] = SimpleQueue()
        self._lookout = Lookout(client, self._run, self._said.put)

    def run(self, tasks: Iterator[Any], threads: int) -> Iterator[Any]:
        """Yield results until there is one for every task, or until the stop has had its time."""
        self._note_threads(threads)
        self._lookout.start()
        is_over = False
        while True:
            if self._stop.is_set() and self._halted_at is None:
                self._halted_at = time.monotonic()
                self._lookout.halt()
            while not is_over and self._halted_at is None and self._has_room():
                try:
                    task = next(tasks)
                except StopIteration:
                    is_over = True
                    break
                self._give(self._next, task)
                self._next += 1
                del task  # it may be large, and the cluster has it
            if not self._given and (is_over or self._halted_at is not None):
                return
            yield from self._listen()

    def close(self) -> None:
        """Let go of the cluster; tasks that are still under way are not waited for."""
        with suppress(OSError, TimeoutError):
            self._client.cancel([given.future for given in self._given.values()])
        self._lookout.end()
        while not self._said.empty():
            if isinstance(said := self._said.get(), Sight):
                self._tell_lines(said)

    @property
    def _share(self) -> int:
        """What a task is given of the concurrency, which as many tasks as there are threads share."""
        return max(1, self._concurrency // max(1, self._threads))

    def _has_room(self) -> bool:
        taken = sum(given.share for given in self._given.values())
        return self._threads > 0 and taken + self._share <= self._concurrency

    def _give(self, number: int, task: Any) -> None:  # noqa: ANN401 - any work's task
        share = self._share
        shares = self._concurrency // share
        if shares not in self._works:
            self._works = {shares: self._work.abroad(shares)}
        future = self._client.submit(
            remote.do,
            self._run,
            number,
            self._halted_at is not None,
            Sealed((self._works[shares], task)),
            key=f"etl-{self._run}-{uuid4().hex[:8]}-{number}",
            pure=False,
        )
        told = self._given[number].told if number in self._given else Tally()
        self._given[number] = _Given(number=number, task=self._work.again(task), share=share, future=future, told=told)
        future.add_done_callback(self._said.put)

    def _listen(self) -> Iterator[Any]:
        """Take what is said, and yield results among it."""
        with suppress(Empty):
            match self._said.get(timeout=_LOOK_EVERY_S):
                case Sight() as sight:
                    self._look(sight)
                case future:
                    yield from self._take(future)
        now = time.monotonic()
        if self._client.status != "running":
            msg = f"the Dask scheduler {self._scheduler} does not answer any more: see to it, and run again"
            raise UnreachableError(msg)
        if self._threads == 0 and now - self._seen_workers_at > WORKERS_WITHIN_S:
            raise UnreachableError(without_workers(self._scheduler))
        if self._halted_at is not None and now - self._halted_at > HALT_WITHIN_S:
            self._give_up()

    def _look(self, sight: Sight) -> None:
        self._note_threads(sight.threads)
        self._tell_lines(sight)
        for number, tally in sight.tallies.items():
            if number in self._given:
                self._tell(self._given[number], tally)

    def _note_threads(self, threads: int) -> None:
        if threads > self._concurrency >= self._threads:
            LOGGER.warning(
                "the cluster has %d threads, but --concurrency %d lets only so many of them work at once",
                threads,
                self._concurrency,
            )
        self._threads = threads
        if threads:
            self._seen_workers_at = time.monotonic()

    def _tell(self, given: _Given, tally: Tally) -> None:
        """Tell how far a task is; what is done again is told anew."""
        self._watch(tally.answers - given.told.answers, tally.failures - given.told.failures)
        given.told = tally

    def _tell_lines(self, sight: Sight) -> None:
        for level, text in sight.logged:
            LOGGER.log(level, "%s", text)

    def _take(self, future: Future) -> Iterator[Any]:
        given = next((given for given in self._given.values() if given.future.key == future.key), None)
        if given is None:
            return  # given up, or given anew
        if future.status == "error":
            raise self._death_of(given)
        if future.status != "finished":
            msg = f"the Dask scheduler {self._scheduler} has dropped a batch ({future.status}): run again"
            raise UnreachableError(msg)
        try:
            outcome = future.result(timeout=_RESULT_WITHIN_S)
        except TimeoutError:
            self._said.put(future)  # whoever has the result does not answer, and it is done again when that is seen
            return
        match outcome:
            case Finished(result=result, tally=tally):
                del self._given[given.number]
                future.release()
                self._tell(given, tally)
                yield result
            case Broken(error=error):
                raise error
            case Forsaken():
                self._give(given.number, given.task)

    def _death_of(self, given: _Given) -> EtlError:
        error = given.future.exception()
        if isinstance(error, KilledWorker):
            return EtlError(
                "worker programs of the Dask cluster died over the same batch again and again (often the system's "
                "want of memory): try a smaller --batch-size, or workers with more memory"
            )
        return EtlError(f"the Dask cluster could not do a batch: {type(error).__name__}: {error}")

    def _give_up(self) -> None:
        """Take back what has no result: whoever is at work on it counts no more."""
        for given in self._given.values():
            self._tell(given, Tally())
            self.left.append(given.task)
        with suppress(OSError, TimeoutError):
            self._client.cancel([given.future for given in self._given.values()])
        self._given = {}
