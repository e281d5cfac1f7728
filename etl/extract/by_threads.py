"""Many ids at once by threads, each with a connection of its own: for a transport that makes one request at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from etl.errors import EtlError
from etl.extract.effort import INTERRUPTED, SLICE_S
from etl.extract.pressure import Turn
from etl.extract.retry import persist

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event

    from etl.extract.answers import Verdict
    from etl.extract.effort import Effort
    from etl.extract.wire import Response
    from etl.model import Answer, RequestedId


class Threads:
    """Threads that live from their first id to `close`, one after the other as ids come, up to the concurrency."""

    def __init__(self, effort: Effort) -> None:
        self._effort = effort
        self._todo: SimpleQueue[_Wanted | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def fetch(self, ids: Iterable[RequestedId], stop: Event) -> Iterator[Answer]:
        """Yield one answer for each id; see `etl.extract.fetch.Fetcher.fetch`."""
        effort = self._effort
        taking = _Taking(stop=stop)
        under_way = 0
        try:
            for requested in ids:
                cause = effort.halted(stop)
                if cause is not None:
                    yield effort.not_attempted(requested.id, cause)
                    continue
                if under_way >= effort.window:
                    yield self._next(taking)
                    under_way -= 1
                self._give(_Wanted(job_id=requested.id, taking=taking))
                under_way += 1
            for _ in range(under_way):
                yield self._next(taking)
        finally:
            taking.is_over = True  # where the caller takes no more answers

    def close(self) -> None:
        """End the threads; ids under way finish their current request."""
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _give(self, wanted: _Wanted) -> None:
        """Give an id to the threads, of which there are as many as there were ids, up to the concurrency."""
        self._todo.put(wanted)
        if len(self._threads) < self._effort.concurrency:
            thread = threading.Thread(target=self._serve, name=f"fetch-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self) -> None:
        while (wanted := self._todo.get()) is not None:
            taking = wanted.taking
            if taking.is_over:
                continue
            try:
                taking.done.put(self._ask(wanted.job_id, taking.stop))
            except BaseException as defect:  # noqa: BLE001 - raised where answers are taken
                taking.done.put(defect)

    def _next(self, taking: _Taking) -> Answer:
        answer = taking.done.get()
        if isinstance(answer, BaseException):
            raise answer
        return self._effort.taken(answer)

    def _nap(self, seconds: float, stop: Event) -> bool:
        """Wait; true where the wait is broken off."""
        clock = self._effort.world.clock
        ends = clock() + seconds
        while self._effort.halted(stop) is None:
            left = ends - clock()
            if left <= 0:
                return False
            stop.wait(min(left, SLICE_S))
        return True

    def _ask(self, job_id: str, stop: Event) -> Answer:
        effort = self._effort
        turn = Turn(effort.pressure, lambda: effort.halted(stop) is not None)
        statuses: list[int] = []

        def once(expires_at: float) -> Verdict:
            turn.until = expires_at
            verdict = self._attempt(job_id, turn, expires_at)
            if verdict.status is not None:
                statuses.append(verdict.status)
            return verdict

        def nap(seconds: float) -> bool:
            return self._nap(seconds, stop) or not (turn.begin() or effort.halted(stop) is None)

        with turn:
            if not turn.begin():  # before the first attempt, with which the time of the id begins
                return effort.not_attempted(job_id, effort.halted(stop) or INTERRUPTED)
            tried = persist(once, effort.policy, nap=nap, world=effort.world)
        return effort.answer(job_id, tried, statuses[-1] if statuses else None)

    def _attempt(self, job_id: str, turn: Turn, expires_at: float) -> Verdict:
        effort = self._effort
        began = effort.world.clock()
        end: Response | EtlError
        try:
            end = effort.client.get_job(job_id, expires_at=expires_at)
        except EtlError as error:
            end = error
        verdict = effort.verdict(job_id, end)
        turn.end(effort.sign(verdict), took_s=effort.world.clock() - began, pause_s=effort.pause_s(verdict))
        return verdict


@dataclass(kw_only=True, slots=True, eq=False)
class _Taking:
    """One taking of answers.

    Attributes:
        stop: ends it.
        done: answers, and what a defect raised in their place.
        is_over: whether nobody takes more of them.
    """

    stop: Event
    done: SimpleQueue[Answer | BaseException] = field(default_factory=SimpleQueue)
    is_over: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """An id for the threads.

    Attributes:
        job_id: to be asked for.
        taking: where its answer goes.
    """

    job_id: str
    taking: _Taking
