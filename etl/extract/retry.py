"""When to ask again: exponential waits with full jitter, within the attempts and the time that an id has."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import tenacity

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.settings import Connection


BASE_S = 0.5
CAP_S = 20.0

BROKEN_OFF = "interrupted before the next attempt"
"""Why there is no further attempt where the wait for it was broken off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How long and how often one request is repeated.

    Attributes:
        max_attempts: requests in all.
        deadline_s: seconds for all of them, waits included.
        retry_after_cap_s: the longest Retry-After that is waited for.
        base_s: the longest first wait, in seconds; each further one may be twice as long.
        cap_s: the longest wait, in seconds, that is chosen here.
    """

    max_attempts: int = 6
    deadline_s: float = 300.0
    retry_after_cap_s: float = 60.0
    base_s: float = BASE_S
    cap_s: float = CAP_S


def policy_of(connection: Connection) -> RetryPolicy:
    """Return the policy that a connection asks for."""
    return RetryPolicy(
        max_attempts=connection.max_attempts,
        deadline_s=connection.id_deadline_s,
        retry_after_cap_s=connection.retry_after_cap_s,
        base_s=BASE_S,  # not left to the defaults, so that a rehearsal of faults may wait less
        cap_s=CAP_S,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class NextStep:
    """What follows an attempt that may be repeated: a wait, or the end.

    Attributes:
        wait_s: seconds until the next attempt.
        gives_up: why there is none; None where there is one.
    """

    wait_s: float = 0.0
    gives_up: str | None = None


def next_step(
    attempt: int, policy: RetryPolicy, *, elapsed_s: float, retry_after_s: float | None, jitter: float
) -> NextStep:
    """Decide what follows an attempt.

    Args:
        attempt: its number, from 1.
        policy: the limits.
        elapsed_s: seconds since the first attempt began.
        retry_after_s: the wait that the server asked for; None without.
        jitter: a random number from 0 to 1.

    >>> next_step(3, RetryPolicy(), elapsed_s=1.0, retry_after_s=None, jitter=0.5)
    NextStep(wait_s=1.0, gives_up=None)
    """
    if attempt >= policy.max_attempts:
        return NextStep(gives_up=f"given up after {attempt} attempts")
    if retry_after_s is not None and retry_after_s > policy.retry_after_cap_s:
        return NextStep(
            gives_up=f"its Retry-After of {retry_after_s:.6g} s is over the cap of {policy.retry_after_cap_s:g} s"
        )
    # The exponent is bounded, so that no number of attempts overflows a float.
    longest = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 60))
    wait_s = max(longest * jitter, retry_after_s or 0.0)
    if elapsed_s + wait_s >= policy.deadline_s:
        return too_late(policy)
    return NextStep(wait_s=wait_s)


def too_late(policy: RetryPolicy) -> NextStep:
    """Return the end of attempts whose time is over."""
    return NextStep(gives_up=f"the deadline of {policy.deadline_s:g} s comes before the next attempt")


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date; what is neither counts as absent.

    >>> retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 27, tzinfo=UTC))
    60.0
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # the zone "-0000"
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


class Attempted(Protocol):
    """What an attempt must say for it to be repeated."""

    @property
    def again(self) -> bool:
        """Whether asking again may help."""

    @property
    def retry_after(self) -> str | None:
        """The Retry-After header, as given."""


T = TypeVar("T", bound=Attempted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried(Generic[T]):
    """What came of all attempts.

    Attributes:
        last: the last of them.
        attempts: how many there were.
        elapsed_s: seconds they took, waits included.
        gave_up: why there was no further one although it might have helped; None where none was needed.
    """

    last: T
    attempts: int
    elapsed_s: float
    gave_up: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What attempts need of the world, so that tests need no time.

    Attributes:
        clock: seconds; the client measures deadlines with `time.monotonic`, so over a real wire it must be that.
        now: the time (UTC).
        jitter: random numbers from 0 to 1.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[], float] = random.random


def persist(
    once: Callable[[float], T],
    policy: RetryPolicy,
    *,
    nap: Callable[[float], bool],
    world: Surroundings,
) -> Tried[T]:
    """Make attempts until one needs no other, or none is left.

    Args:
        once: makes one attempt that ends by the time given, on the clock of `world`.
        policy: the limits.
        nap: waits for so many seconds, or longer where it must; true where the wait was broken off, then no attempt
            follows. None follows either where the deadline has passed.
        world: clock, time and chance.
    """
    course = _Course(once, policy, nap, world)
    first = course.attempt()
    if not first.again:  # nearly always: the library is not asked what to do
        return Tried(last=first, attempts=1, elapsed_s=world.clock() - course.started, gave_up=None)
    retrying = tenacity.Retrying(
        retry=course.goes_on,
        wait=course.wait,
        sleep=course.sleep,
    )
    last = retrying(course.next_attempt)
    return Tried(
        last=last,
        attempts=course.attempts,
        elapsed_s=world.clock() - course.started,
        gave_up=course.step.gives_up,
    )


class _Course(Generic[T]):
    """The state of one series of attempts, and the decisions that the retry library asks for."""

    def __init__(
        self, once: Callable[[float], T], policy: RetryPolicy, nap: Callable[[float], bool], world: Surroundings
    ) -> None:
        self._once = once
        self._policy = policy
        self._nap = nap
        self._world = world
        self._last: T | None = None
        self.started = world.clock()
        self.attempts = 0
        self._waited = False
        self.step = NextStep()

    def next_attempt(self) -> T:
        """Return the first attempt, which has been made; then make one after each wait that was not broken off."""
        if self._last is not None and (not self._waited or self.step.gives_up is not None):
            return self._last
        return self.attempt()

    def attempt(self) -> T:
        """Make an attempt."""
        self.attempts += 1
        self._last = self._once(self.started + self._policy.deadline_s)
        return self._last

    def goes_on(self, _: tenacity.RetryCallState) -> bool:
        if self._last is None or not self._last.again:
            self.step = NextStep()
            return False
        if self.step.gives_up is None:
            self.step = next_step(
                self.attempts,
                self._policy,
                elapsed_s=self._world.clock() - self.started,
                retry_after_s=retry_after_seconds(self._last.retry_after, self._world.now()),
                jitter=self._world.jitter(),
            )
        return self.step.gives_up is None

    def wait(self, _: tenacity.RetryCallState) -> float:
        return self.step.wait_s

    def sleep(self, seconds: float) -> None:
        self._waited = True
        if self._nap(seconds):
            self.step = NextStep(gives_up=BROKEN_OFF)
        elif self._world.clock() >= self.started + self._policy.deadline_s:
            self.step = too_late(self._policy)
