"""Many ids at once: one request each, a bounded number under way, one answer for every id whatever happens."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Self

from etl.errors import EtlError, UnreachableError
from etl.extract.answers import Verdict, judge, judge_error
from etl.extract.pressure import Pressure, Sign, Turn
from etl.extract.reasons import MAX_REASON, one_line
from etl.extract.refusals import asker
from etl.extract.retry import RetryPolicy, Surroundings, Tried, persist, policy_of, retry_after_seconds
from etl.model import Answer, AnswerKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event
    from types import TracebackType

    from etl.extract.client import Client
    from etl.model import RequestedId

NOT_ATTEMPTED: Final = "not_attempted: "
"""How the reason of an id that was not asked for begins; the cause follows."""

INTERRUPTED: Final = "interrupted"
"""The cause where the fetcher was told to stop; by whom it does not know."""

_NAP_SLICE_S = 0.2  # a wait ends for one of three causes, and an event tells of one only
_WINDOW = 2  # ids under way or answered and not yet taken, for each thread: no thread waits, and memory is bounded
_OUTAGE_ROUNDS = 3
_OUTAGE_LEAST = 20
_PUSHING_BACK = frozenset({429, 503})
_TAKEN = frozenset({AnswerKind.DOCUMENT, AnswerKind.NOT_FOUND})


class Fetcher:
    """Fetches sync jobs by id through one client, with threads that live as long as it does.

    Args:
        client: of the cluster; it stays open.
        version: of the cluster, where it is known: it names the missing privilege.
        policy: how to repeat; None for that of the connection.
        world: clock, time and chance; None for the real ones.

    Attributes:
        fatal: the error that ends the run, once there is one: credentials refused, wrong address, an outage. From
            then on no id is asked for.
        pressure: the gate that every request passes; its limit is the number of requests that may be under way now.
    """

    def __init__(
        self,
        client: Client,
        *,
        version: str | None = None,
        policy: RetryPolicy | None = None,
        world: Surroundings | None = None,
    ) -> None:
        self.fatal: EtlError | None = None
        self._client = client
        self._who = asker(client, version)
        self._policy = policy or policy_of(client.connection)
        self._world = world or Surroundings()
        concurrency = client.connection.concurrency
        self.pressure = Pressure(concurrency, self._world.clock)
        self._window = _WINDOW * concurrency
        self._outage_after = max(_OUTAGE_LEAST, _OUTAGE_ROUNDS * concurrency)
        self._unanswered = 0
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._concurrency = concurrency
        self._todo: SimpleQueue[_Wanted | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def fetch(self, ids: Iterable[RequestedId], *, stop: Event) -> Iterator[Answer]:
        """Yield exactly one answer for each id, as they come.

        When `stop` is set or an error ends the run, ids under way finish their current request, and the others come
        back as FAILED with a reason that begins with NOT_ATTEMPTED. Nothing is raised: see `fatal` afterwards.
        One thread at a time may take answers from a fetcher.

        Args:
            ids: taken one by one, as there is room for them.
            stop: ends the fetching when it is set.
        """
        taking = _Taking(stop=stop)
        under_way = 0
        try:
            for requested in ids:
                cause = self._halted(stop)
                if cause is not None:
                    yield self._not_attempted(requested.id, cause)
                    continue
                if under_way >= self._window:
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
        self._closed.set()
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _give(self, wanted: _Wanted) -> None:
        """Give an id to the threads, of which there are as many as there were ids, up to the concurrency."""
        self._todo.put(wanted)
        if len(self._threads) < self._concurrency:
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
        self._watch_for_outage(answer)
        return answer

    def _watch_for_outage(self, answer: Answer) -> None:
        """Take a row of ids without any answer as a cluster that is gone: each costs minutes, and a run has many."""
        if answer.http_status is not None:
            self._unanswered = 0
        elif answer.attempts:
            self._unanswered += 1
            if self._unanswered >= self._outage_after:
                msg = f"{self._who.url} gave no answer for {self._unanswered} ids in a row; the last: {answer.reason}"
                self._end_with(UnreachableError(msg))

    def _end_with(self, error: EtlError) -> None:
        with self._lock:
            if self.fatal is None:
                self.fatal = error

    def _halted(self, stop: Event) -> str | None:
        if self.fatal is not None:
            return str(self.fatal)
        return INTERRUPTED if stop.is_set() or self._closed.is_set() else None

    def _nap(self, seconds: float, stop: Event) -> bool:
        """Wait; true where the wait is broken off."""
        ends = self._world.clock() + seconds
        while self._halted(stop) is None:
            left = ends - self._world.clock()
            if left <= 0:
                return False
            stop.wait(min(left, _NAP_SLICE_S))
        return True

    def _ask(self, job_id: str, stop: Event) -> Answer:
        turn = Turn(self.pressure, lambda: self._halted(stop) is not None)
        statuses: list[int] = []

        def once(expires_at: float) -> Verdict:
            turn.until = expires_at
            verdict = self._attempt(job_id, turn, expires_at)
            if verdict.status is not None:
                statuses.append(verdict.status)
            return verdict

        def nap(seconds: float) -> bool:
            return self._nap(seconds, stop) or not (turn.begin() or self._halted(stop) is None)

        with turn:
            if not turn.begin():  # before the first attempt, with which the time of the id begins
                return self._not_attempted(job_id, self._halted(stop) or INTERRUPTED)
            tried = persist(once, self._policy, nap=nap, world=self._world)
        if tried.last.fatal is not None:
            self._end_with(tried.last.fatal)
        return self._answer(job_id, tried, statuses[-1] if statuses else None)

    def _attempt(self, job_id: str, turn: Turn, expires_at: float) -> Verdict:
        began = self._world.clock()
        try:
            response = self._client.get_job(job_id, expires_at=expires_at)
        except EtlError as error:
            verdict = judge_error(error, self._who)
        else:
            verdict = judge(job_id, response, self._who)
        turn.end(_sign_of(verdict), took_s=self._world.clock() - began, pause_s=self._pause_s(verdict))
        return verdict

    def _pause_s(self, verdict: Verdict) -> float:
        """Return for how long the cluster asks to be left alone; 0 where it does not, or for longer than we wait."""
        if verdict.retry_after is None:
            return 0.0
        seconds = retry_after_seconds(verdict.retry_after, self._world.now()) or 0.0
        return seconds if seconds <= self._policy.retry_after_cap_s else 0.0

    def _answer(self, job_id: str, tried: Tried[Verdict], status: int | None) -> Answer:
        last = tried.last
        reason = last.reason
        if reason is not None and tried.gave_up is not None:
            suffix = f"; {tried.gave_up}"
            reason = one_line(reason, self._client.mask, MAX_REASON - len(suffix)) + suffix
        return Answer(
            id=job_id,
            kind=last.kind,
            body=last.body,
            http_status=status,
            attempts=tried.attempts,
            elapsed_s=tried.elapsed_s,
            reason=reason,
            fetched_at=self._world.now(),
        )

    def _not_attempted(self, job_id: str, cause: str) -> Answer:
        reason = one_line(f"{NOT_ATTEMPTED}{cause}", self._client.mask)
        return Answer(id=job_id, kind=AnswerKind.FAILED, reason=reason, fetched_at=self._world.now())


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


def _sign_of(verdict: Verdict) -> Sign:
    if verdict.status in _PUSHING_BACK:
        return Sign.PUSHED_BACK
    return Sign.TAKEN if verdict.kind in _TAKEN else Sign.NONE
