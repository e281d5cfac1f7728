"""How many requests may be under way, by how the cluster takes them: halved under pressure, won back one by one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Self

from etl.observe.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SLOW_TIMES: Final = 4.0
"""An answer is slow when it takes longer than this times the best of late."""

SLOW_LEAST_S: Final = 1.0
"""No answer that comes within so many seconds is slow."""

_BEST_FADES: Final = 0.1  # a round: so a cluster that has become slower for good is at full strength again in the end
_WAIT_SLICE_S: Final = 0.2  # a wait at the gate also ends for causes that tell nobody
_CALM_S: Final = 60.0  # at full strength for so long, the lows before are forgotten, and the next ones are told again


class Sign(Enum):
    """What an answer says about the strength of the cluster, apart from the time that it took."""

    TAKEN = auto()
    """It did what was asked for."""

    PUSHED_BACK = auto()
    """It has too much to do."""

    NONE = auto()
    """It says nothing: no answer, or one that is wrong in another way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """How much is asked of the cluster.

    Attributes:
        limit: requests that may be under way; whole ones count.
        round: how often it was lowered. Answers to requests of earlier rounds say nothing about this one.
        best_s: the shortest time that an answer took of late, in seconds; None before the first.
    """

    limit: float
    round: int = 0
    best_s: float | None = None


def next_level(level: Level, sign: Sign, *, began: int, took_s: float, most: int) -> Level:
    """Decide how much is asked of the cluster after an answer: additive increase, multiplicative decrease.

    Args:
        level: before it.
        sign: of the answer.
        began: the round in which its request began.
        took_s: seconds that it took.
        most: the highest limit.

    >>> next_level(Level(limit=8.0), Sign.PUSHED_BACK, began=0, took_s=0.1, most=8)
    Level(limit=4.0, round=1, best_s=None)
    """
    best_s = level.best_s
    is_slow = best_s is not None and took_s > max(SLOW_LEAST_S, SLOW_TIMES * best_s)
    if sign is Sign.TAKEN:
        best_s = took_s if best_s is None else min(took_s, best_s * (1 + _BEST_FADES / level.limit))
    if began != level.round:
        return Level(limit=level.limit, round=level.round, best_s=best_s)
    if sign is Sign.PUSHED_BACK or is_slow:
        return Level(limit=max(1.0, level.limit / 2), round=level.round + 1, best_s=best_s)
    gain = 1 / level.limit if sign is Sign.TAKEN else 0.0
    return Level(limit=min(float(most), level.limit + gain), round=level.round, best_s=best_s)


class Pressure:
    """A gate that all requests to one cluster pass, from any number of threads, and what it has learnt of the cluster.

    Ids that have begun pass before those that have not: only for them does time run out.

    Args:
        most: requests that may be under way when all is well.
        clock: seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._level = Level(limit=float(most))
        self._under_way = 0
        self._paused_until: float | None = None
        self._told_low: float | None = None  # the lowest limit since the calm, as told
        self._owes_news = False  # a low was told, and not yet that it is over
        self._full_since: float | None = None
        lock = threading.Lock()
        self._lock = lock
        self._begun = _Queue(lock)
        self._new = _Queue(lock)

    @property
    def limit(self) -> float:
        """The number of requests that may be under way now; whole ones count."""
        return self._level.limit

    def enter(self, halted: Callable[[], bool], *, until: float | None = None) -> int | None:
        """Wait until one more request may be under way.

        Args:
            halted: tells that no request is wanted any more.
            until: for an id that has begun, when its time is over; None for one that has not.

        Returns:
            The round, to be given to `leave` once, whatever becomes of the request. None where it may not be made:
            halted, or the time is over.
        """
        if halted():
            return None
        with self._lock:
            if self._admits(has_begun=until is not None):
                self._under_way += 1
                return self._level.round
            queue = self._new if until is None else self._begun
            queue.length += 1
            try:
                return self._wait(queue, halted, until)
            finally:
                queue.length -= 1
                self._wake()  # where it was woken, but has no need of the place

    def try_enter(self, *, has_begun: bool) -> int | None:
        """Take a place where there is one now; None where there is none.

        For one thread with many requests, which waits by itself and asks for those that have begun first.

        Args:
            has_begun: whether it is for an id that was asked for before.
        """
        with self._lock:
            if not self._admits(has_begun=has_begun):
                return None
            self._under_way += 1
            return self._level.round

    def leave(self, began: int, sign: Sign, *, took_s: float = 0.0, pause_s: float = 0.0) -> None:
        """Give the place of a request back, and learn from its answer.

        Args:
            began: what `enter` returned.
            sign: of the answer; NONE where no request was made.
            took_s: seconds until the answer.
            pause_s: seconds for which the cluster asks to be left alone.
        """
        with self._lock:
            self._under_way -= 1
            before, self._level = (
                self._level,
                next_level(self._level, sign, began=began, took_s=took_s, most=self._most),
            )
            if pause_s > 0:
                self._paused_until = max(self._paused_until or 0.0, self._clock() + pause_s)
            news = None if before.limit == self._level.limit else self._news(before.limit, pause_s)
            self._wake()
        if news is not None:
            LOGGER.info(news)

    def _admits(self, *, has_begun: bool) -> bool:
        if self._paused_until is not None:
            if self._clock() < self._paused_until:
                return False
            self._paused_until = None
        return self._under_way + 1 <= self._level.limit and (has_begun or not self._begun.length)

    def _wait(self, queue: _Queue, halted: Callable[[], bool], until: float | None) -> int | None:
        while not halted():
            now = self._clock()
            if until is not None and now >= until:
                return None
            if self._admits(has_begun=until is not None):
                self._under_way += 1
                return self._level.round
            ends = [end - now for end in (until, self._paused_until) if end is not None]
            queue.woken.wait(min([_WAIT_SLICE_S, *ends]))
        return None

    def _wake(self) -> None:
        """Wake as many as there are places for, those that have begun first."""
        if not (self._begun.length or self._new.length):
            return
        places = int(self._level.limit) - self._under_way
        if places > 0:
            self._begun.woken.notify(places)
            self._new.woken.notify(max(0, places - self._begun.length))

    def _news(self, before: float, pause_s: float) -> str | None:
        """Say what has changed where it is worth a line: a low that was not told yet, and the end of one."""
        limit, now = self._level.limit, self._clock()
        if limit < before:
            if self._full_since is not None and now - self._full_since >= _CALM_S:
                self._told_low = None
            self._full_since = None
            if self._told_low is not None and limit >= self._told_low:
                return None
            self._told_low, self._owes_news = limit, True
            waits = f", after a pause of {pause_s:.3g} s that it asks for" if pause_s > 0 else ""
            return f"the cluster is under pressure: {int(limit)} of {self._most} requests at once{waits}"
        if limit < self._most:
            return None
        self._full_since = now
        if not self._owes_news:
            return None
        self._owes_news = False
        return f"the cluster is at ease again: {self._most} requests at once"


class Turn:
    """The place of one id among the requests under way: taken before each request, given back after it.

    Used as a context, so that a defect in the midst of a request leaves no place taken.

    Attributes:
        until: when the time of the id is over; None before its first request.
    """

    def __init__(self, pressure: Pressure, halted: Callable[[], bool]) -> None:
        self.until: float | None = None
        self._pressure = pressure
        self._halted = halted
        self._round: int | None = None

    def begin(self) -> bool:
        """Wait for a place; false where the fetching is halted, or the time of the id is over."""
        self._round = self._pressure.enter(self._halted, until=self.until)
        return self._round is not None

    def end(self, sign: Sign, *, took_s: float = 0.0, pause_s: float = 0.0) -> None:
        """Give the place back, where there is one."""
        if self._round is not None:
            self._pressure.leave(self._round, sign, took_s=took_s, pause_s=pause_s)
            self._round = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(Sign.NONE)


class _Queue:
    """Threads that wait at the gate.

    Attributes:
        length: how many there are.
        woken: wakes them.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.length = 0
        self.woken = threading.Condition(lock)
