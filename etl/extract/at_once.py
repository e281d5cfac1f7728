"""Many ids at once by one thread, that of the caller: for a transport that has many requests under way by itself."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from etl.extract.effort import SLICE_S
from etl.extract.pressure import Sign
from etl.extract.retry import BROKEN_OFF, Tried, next_step, retry_after_seconds, too_late

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event

    from etl.errors import EtlError
    from etl.extract.answers import Verdict
    from etl.extract.effort import Effort
    from etl.extract.transport.by_curl import CurlWire
    from etl.extract.wire import Response
    from etl.model import Answer, RequestedId


class AtOnce:
    """Fetches many ids through connections that one thread drives.

    Args:
        effort: what all ids share.
        wire: the connections; they are closed with this.
    """

    def __init__(self, effort: Effort, wire: CurlWire) -> None:
        self._effort = effort
        self._wire = wire

    def fetch(self, ids: Iterable[RequestedId], stop: Event) -> Iterator[Answer]:
        """Yield one answer for each id; see `etl.extract.fetch.Fetcher.fetch`."""
        return _Taking(self._effort, self._wire, stop).answers(ids)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


@dataclass(kw_only=True, slots=True, eq=False)
class _Trial:
    """An id that has begun; of two, the one that is asked for again first is the lesser.

    Attributes:
        job_id: the id.
        began_at: when its first request began, on the clock.
        asked_at: when its last one did.
        again_at: when the next one may.
        attempts: requests made.
        place: in the gate, while a request is under way; see `Pressure.enter`.
        status: of the last request that was answered; None where none was.
        last: what the last request came to.
    """

    job_id: str
    began_at: float
    asked_at: float = 0.0
    again_at: float = 0.0
    attempts: int = 1
    place: int | None = None
    status: int | None = None
    last: Verdict | None = None

    def __lt__(self, other: _Trial) -> bool:
        return self.again_at < other.again_at


class _Taking:
    """One taking of answers."""

    def __init__(self, effort: Effort, wire: CurlWire, stop: Event) -> None:
        self._effort = effort
        self._wire = wire
        self._stop = stop
        self._clock = effort.world.clock
        self._ends: deque[tuple[_Trial, Response | EtlError]] = deque()
        self._waiting: list[_Trial] = []  # a heap
        self._next: RequestedId | None = None  # waits for the gate

    def answers(self, ids: Iterable[RequestedId]) -> Iterator[Answer]:
        """Yield one answer for each id."""
        effort, pending = self._effort, iter(ids)
        has_more = True
        self._abandon()  # what a taking left behind that nobody took to its end
        try:
            while has_more or self._waiting or self._wire.under_way:
                cause = effort.halted(self._stop)
                if cause is None:
                    yield from self._ask_again()
                    has_more = has_more and self._ask_new(pending)
                else:
                    while self._waiting:
                        yield effort.taken(self._over(heapq.heappop(self._waiting), BROKEN_OFF))
                    left, self._next, has_more = chain([self._next] if self._next else [], pending), None, False
                    for requested in left:
                        yield effort.not_attempted(requested.id, cause)
                for answer in self._ended(has_more=has_more):
                    yield effort.taken(answer)
        finally:
            self._abandon()

    def _ask_again(self) -> Iterator[Answer]:
        """Ask for ids whose wait is over, as the gate admits them; yield the answers to those whose time is over."""
        if not self._waiting:
            return
        now, policy = self._clock(), self._effort.policy
        late = [trial for trial in self._waiting if now >= trial.began_at + policy.deadline_s]
        if late:
            self._waiting = [trial for trial in self._waiting if now < trial.began_at + policy.deadline_s]
            heapq.heapify(self._waiting)
            for trial in late:
                yield self._effort.taken(self._over(trial, too_late(policy).gives_up))
        while self._waiting and self._waiting[0].again_at <= now:
            place = self._effort.pressure.try_enter(has_begun=True)
            if place is None:
                return
            trial = heapq.heappop(self._waiting)
            trial.attempts += 1
            self._ask(trial, place)

    def _ask_new(self, pending: Iterator[RequestedId]) -> bool:
        """Ask for new ids as there is room for them, and the gate admits them; false where there are no more."""
        if self._waiting and self._waiting[0].again_at <= self._clock():
            return True  # the gate is closed: those that have begun go first
        while len(self._waiting) + self._wire.under_way < self._effort.window:
            if self._next is None:
                self._next = next(pending, None)
            if self._next is None:
                return False
            place = self._effort.pressure.try_enter(has_begun=False)
            if place is None:
                break
            job_id, self._next = self._next.id, None
            self._ask(_Trial(job_id=job_id, began_at=self._clock()), place)
        return True

    def _ask(self, trial: _Trial, place: int) -> None:
        effort = self._effort
        trial.place, trial.asked_at = place, self._clock()
        try:
            expires_at = trial.began_at + effort.policy.deadline_s
            self._wire.begin(effort.client.job_request(trial.job_id, expires_at=expires_at), trial)
        except BaseException:
            effort.pressure.leave(place, Sign.NONE)
            raise

    def _ended(self, *, has_more: bool) -> list[Answer]:
        """Wait for something to happen; return the answers to ids that need no further request."""
        if self._wire.under_way:
            self._ends.extend(self._wire.ended(self._wait_s()))
        elif has_more or self._waiting:
            self._stop.wait(self._wait_s())
        answers: list[Answer] = []
        while self._ends:
            answer = self._note(*self._ends[0])
            self._ends.popleft()
            if answer is not None:
                answers.append(answer)
        return answers

    def _wait_s(self) -> float:
        """Return for how long nothing is to do but to wait for an answer, or for the gate."""
        left_s = self._waiting[0].again_at - self._clock() if self._waiting else 0.0
        return min(left_s, SLICE_S) if left_s > 0 else SLICE_S

    def _note(self, trial: _Trial, end: Response | EtlError) -> Answer | None:
        """Learn from what a request ended with; return the answer, or None where it is asked again."""
        effort, now = self._effort, self._clock()
        verdict = trial.last = effort.verdict(trial.job_id, end)
        trial.status = trial.status if verdict.status is None else verdict.status
        if trial.place is not None:
            sign, pause_s = effort.sign(verdict), effort.pause_s(verdict)
            effort.pressure.leave(trial.place, sign, took_s=now - trial.asked_at, pause_s=pause_s)
            trial.place = None
        if not verdict.again:
            return self._over(trial, None)
        world = effort.world
        step = next_step(
            trial.attempts,
            effort.policy,
            elapsed_s=now - trial.began_at,
            retry_after_s=retry_after_seconds(verdict.retry_after, world.now()),
            jitter=world.jitter(),
        )
        if step.gives_up is not None:
            return self._over(trial, step.gives_up)
        trial.again_at = now + step.wait_s
        heapq.heappush(self._waiting, trial)
        return None

    def _over(self, trial: _Trial, gave_up: str | None) -> Answer:
        assert trial.last is not None  # noqa: S101 - it has been asked for
        elapsed_s = self._clock() - trial.began_at
        tried = Tried(last=trial.last, attempts=trial.attempts, elapsed_s=elapsed_s, gave_up=gave_up)
        return self._effort.answer(trial.job_id, tried, trial.status)

    def _abandon(self) -> None:
        """Break off what is under way, and give its places back."""
        broken_off = [*self._wire.abandon(), *(trial for trial, _ in self._ends)]
        self._ends.clear()
        for trial in broken_off:
            if trial.place is not None:
                self._effort.pressure.leave(trial.place, Sign.NONE)
