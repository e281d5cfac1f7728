"""When to ask again, decided without a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.retry import NextStep, RetryPolicy, Surroundings, next_step, persist, policy_of, retry_after_seconds
from etl.settings import Connection
from tests.extract.conftest import NOW


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (5000, 20.0)])
def test_the_longest_wait_doubles_up_to_the_cap(attempt: int, longest: float) -> None:
    policy = RetryPolicy(max_attempts=10_000)
    step = next_step(attempt, policy, elapsed_s=0.0, retry_after_s=None, jitter=1.0)
    assert step == NextStep(wait_s=longest)


def test_jitter_spreads_the_wait_over_its_whole_length() -> None:
    waits = [
        next_step(3, RetryPolicy(), elapsed_s=0.0, retry_after_s=None, jitter=jitter).wait_s for jitter in (0, 0.25, 1)
    ]
    assert waits == [0.0, 0.5, 2.0]


def test_the_last_attempt_is_the_last() -> None:
    step = next_step(6, RetryPolicy(max_attempts=6), elapsed_s=0.0, retry_after_s=1.0, jitter=0.0)
    assert step.gives_up == "given up after 6 attempts"


def test_retry_after_is_waited_for_up_to_its_cap() -> None:
    policy = RetryPolicy(retry_after_cap_s=60)
    assert next_step(1, policy, elapsed_s=0.0, retry_after_s=60.0, jitter=1.0).wait_s == 60.0
    step = next_step(1, policy, elapsed_s=0.0, retry_after_s=21_600.0, jitter=1.0)
    assert step.gives_up == "its Retry-After of 21600 s is over the cap of 60 s"


def test_a_retry_after_shorter_than_the_own_wait_does_not_shorten_it() -> None:
    assert next_step(2, RetryPolicy(), elapsed_s=0.0, retry_after_s=0.0, jitter=1.0).wait_s == 1.0


@given(
    st.integers(1, 10_000),
    st.floats(0, 1000),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1),
    st.floats(0.01, 1000),
)
def test_no_wait_reaches_the_deadline(
    attempt: int, elapsed_s: float, retry_after_s: float | None, jitter: float, deadline_s: float
) -> None:
    policy = RetryPolicy(max_attempts=20_000, deadline_s=deadline_s)
    step = next_step(attempt, policy, elapsed_s=elapsed_s, retry_after_s=retry_after_s, jitter=jitter)
    assert step.gives_up or elapsed_s + step.wait_s < deadline_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("-5", None),
        ("soon", None),
        ("١٢", None),
        ("1e3", None),
        ("9" * 400, float("inf")),
        ("Tue, 24 Nov 2026 03:51:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 04:51:00 +0100", 60.0),
        ("Tue, 24 Nov 2026 03:51:00 -0000", 60.0),
        ("Tue, 24 Nov 2015 03:51:00 GMT", 0.0),
        ("Tue, 99 Nov 2026 03:51:00 GMT", None),
        ("Tue, 24 Nov 2026 03:51:00 +99999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(st.characters() | st.sampled_from("0123456789 :,+-GMT"), max_size=40))
def test_no_retry_after_breaks_the_reading(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or seconds >= 0


def test_the_policy_is_that_of_the_connection() -> None:
    connection = Connection(url="http://x", max_attempts=2, id_deadline_s=7.0, retry_after_cap_s=3.0)
    assert policy_of(connection) == RetryPolicy(max_attempts=2, deadline_s=7.0, retry_after_cap_s=3.0)


@dataclass(frozen=True)
class Try:
    again: bool
    retry_after: str | None = None


class World:
    """A clock that only naps and attempts move."""

    def __init__(self, *tries: Try, attempt_s: float = 0.0, break_nap: int | None = None) -> None:
        self.time = 100.0
        self.tries = list(tries)
        self.naps: list[float] = []
        self.deadlines: list[float] = []
        self.attempt_s = attempt_s
        self.break_nap = break_nap
        self.surroundings = Surroundings(
            clock=lambda: self.time, now=lambda: NOW + timedelta(seconds=self.time), jitter=lambda: 1.0
        )

    def once(self, expires_at: float) -> Try:
        self.deadlines.append(expires_at)
        self.time += self.attempt_s
        return self.tries.pop(0)

    def nap(self, seconds: float) -> bool:
        self.naps.append(seconds)
        self.time += seconds
        return len(self.naps) == self.break_nap


def test_attempts_end_with_the_first_that_needs_no_other() -> None:
    world = World(Try(again=True), Try(again=True), Try(again=False), attempt_s=0.25)
    tried = persist(world.once, RetryPolicy(), nap=world.nap, world=world.surroundings)
    assert (tried.last, tried.attempts, tried.gave_up) == (Try(again=False), 3, None)
    assert world.naps == [0.5, 1.0]
    assert tried.elapsed_s == 2.25
    assert world.deadlines == [400.0] * 3


def test_one_good_attempt_needs_no_nap() -> None:
    world = World(Try(again=False))
    assert persist(world.once, RetryPolicy(), nap=world.nap, world=world.surroundings).attempts == 1
    assert world.naps == []


def test_attempts_end_when_they_are_used_up() -> None:
    world = World(*[Try(again=True)] * 9)
    tried = persist(world.once, RetryPolicy(max_attempts=4), nap=world.nap, world=world.surroundings)
    assert (tried.attempts, tried.gave_up) == (4, "given up after 4 attempts")
    assert world.naps == [0.5, 1.0, 2.0]


def test_attempts_end_before_a_nap_that_would_pass_the_deadline() -> None:
    world = World(*[Try(again=True)] * 9, attempt_s=1.0)
    tried = persist(world.once, RetryPolicy(deadline_s=5.0), nap=world.nap, world=world.surroundings)
    assert (tried.attempts, tried.gave_up) == (3, "the deadline of 5 s comes before the next attempt")
    assert tried.elapsed_s < 5.0


def test_a_retry_after_beyond_the_cap_ends_the_attempts_at_once() -> None:
    world = World(Try(again=True, retry_after="21600"))
    tried = persist(world.once, RetryPolicy(), nap=world.nap, world=world.surroundings)
    assert tried.attempts == 1
    assert tried.gave_up is not None
    assert "21600" in tried.gave_up
    assert world.naps == []


def test_a_retry_after_is_napped() -> None:
    date = (NOW + timedelta(seconds=100 + 7)).astimezone(UTC)
    world = World(Try(again=True, retry_after=f"{date:%a, %d %b %Y %H:%M:%S GMT}"), Try(again=False))
    assert persist(world.once, RetryPolicy(), nap=world.nap, world=world.surroundings).attempts == 2
    assert world.naps == [7.0]


def test_no_attempt_follows_a_nap_that_lasted_beyond_the_deadline() -> None:
    world = World(*[Try(again=True)] * 9)

    def oversleep(seconds: float) -> bool:
        return world.nap(seconds + 299.5)

    tried = persist(world.once, RetryPolicy(), nap=oversleep, world=world.surroundings)
    assert (tried.attempts, tried.gave_up) == (1, "the deadline of 300 s comes before the next attempt")
    assert tried.elapsed_s == 300.0


def test_no_attempt_follows_a_nap_that_was_broken_off() -> None:
    world = World(*[Try(again=True)] * 9, break_nap=2)
    tried = persist(world.once, RetryPolicy(), nap=world.nap, world=world.surroundings)
    assert (tried.attempts, tried.gave_up) == (2, "interrupted before the next attempt")


def test_the_real_surroundings_tell_utc() -> None:
    world = Surroundings()
    assert world.now().utcoffset() == timedelta(0)
    assert world.now() >= datetime(2024, 1, 1, tzinfo=UTC)
    assert 0 <= world.jitter() < 1
