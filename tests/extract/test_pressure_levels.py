"""How much is asked of a cluster after each answer: decided without threads and without time."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.pressure import Level, Pressure, Sign, next_level

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK_S = 0.01


def after(level: Level, *signs: Sign, took_s: float = QUICK_S, most: int = 8) -> Level:
    """Answers of the round that the level is in."""
    for sign in signs:
        level = next_level(level, sign, began=level.round, took_s=took_s, most=most)
    return level


def test_a_push_back_halves_the_limit_and_begins_a_round() -> None:
    assert after(Level(limit=8.0), Sign.PUSHED_BACK) == Level(limit=4.0, round=1)


def test_the_limit_never_falls_below_one() -> None:
    assert after(Level(limit=8.0), *[Sign.PUSHED_BACK] * 9).limit == 1.0


@pytest.mark.parametrize("sign", list(Sign))
def test_what_was_under_way_when_the_limit_fell_moves_it_no_more(sign: Sign) -> None:
    level = after(Level(limit=8.0), Sign.PUSHED_BACK)
    for _ in range(7):
        level = next_level(level, sign, began=0, took_s=100.0, most=8)
    assert (level.limit, level.round) == (4.0, 1)


def test_a_round_of_good_answers_wins_about_one_request_back() -> None:
    level = after(Level(limit=4.0, round=1), *[Sign.TAKEN] * 4)
    assert 4.8 < level.limit <= 5.0


def test_good_answers_win_all_back_and_no_more() -> None:
    assert after(Level(limit=1.0, round=3), *[Sign.TAKEN] * 40).limit == 8.0


def test_an_answer_that_says_nothing_of_the_cluster_changes_nothing() -> None:
    level = Level(limit=4.0, round=1, best_s=QUICK_S)
    assert after(level, Sign.NONE, Sign.NONE) == level


@pytest.mark.parametrize("sign", list(Sign))
def test_an_answer_much_slower_than_the_best_is_pressure(sign: Sign) -> None:
    level = Level(limit=8.0, best_s=0.5)
    assert after(level, sign, took_s=2.1).limit == 4.0


def test_an_answer_within_the_floor_is_not_slow_however_fast_the_best_was() -> None:
    assert after(Level(limit=8.0, best_s=0.001), Sign.TAKEN, took_s=1.0).limit == 8.0


def test_the_first_answer_is_not_slow() -> None:
    assert after(Level(limit=8.0), Sign.TAKEN, took_s=20.0).limit == 8.0


def test_a_fast_refusal_is_no_example_of_a_fast_answer() -> None:
    level = after(Level(limit=8.0, best_s=2.0), Sign.PUSHED_BACK, Sign.NONE, took_s=0.001)
    assert level.best_s == 2.0


@pytest.mark.parametrize("most", [1, 8, 512])
def test_a_cluster_that_becomes_slow_is_asked_for_one_at_a_time(most: int) -> None:
    level = after(Level(limit=float(most)), Sign.TAKEN, most=most)
    lowest = level.limit
    for _ in range(10):
        began = level.round
        for _ in range(int(level.limit)):
            level = next_level(level, Sign.TAKEN, began=began, took_s=5.0, most=most)
        lowest = min(lowest, level.limit)
    assert lowest == 1.0


def test_a_cluster_that_stays_slow_is_asked_for_as_much_as_before_in_the_end() -> None:
    assert after(Level(limit=8.0, best_s=QUICK_S), *[Sign.TAKEN] * 200, took_s=5.0).limit == 8.0


@given(st.lists(st.tuples(st.sampled_from(Sign), st.floats(0, 1e6), st.integers(0, 3))), st.integers(1, 512))
def test_the_limit_stays_between_one_and_the_most(answers: list[tuple[Sign, float, int]], most: int) -> None:
    level = Level(limit=float(most))
    for sign, took_s, rounds_ago in answers:
        before = level
        level = next_level(level, sign, began=max(0, level.round - rounds_ago), took_s=took_s, most=most)
        assert 1.0 <= level.limit <= most
        assert level.round == before.round + 1 or (level.round == before.round and level.limit >= before.limit)


@pytest.fixture(name="news")
def _news(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The lines that are logged."""
    lines: list[str] = []

    class Taking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    taking = Taking()
    logger = logging.getLogger("etl")
    logger.addHandler(taking)
    with caplog.at_level(logging.INFO, logger="etl"):
        yield lines
    logger.removeHandler(taking)


class Clock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answer(pressure: Pressure, *signs: Sign, pause_s: float = 0.0) -> None:
    for sign in signs:
        began = pressure.enter(lambda: False)
        assert began is not None
        pressure.leave(began, sign, took_s=QUICK_S, pause_s=pause_s)


def test_a_new_low_and_the_end_of_it_are_told_once_each(news: list[str]) -> None:
    pressure = Pressure(8, Clock())
    for _ in range(3):
        answer(pressure, Sign.PUSHED_BACK, *[Sign.TAKEN] * 40)
    assert pressure.limit == 8.0
    assert news == [
        "the cluster is under pressure: 4 of 8 requests at once",
        "the cluster is at ease again: 8 requests at once",
    ]


def test_each_lower_low_is_told(news: list[str]) -> None:
    answer(Pressure(8, Clock()), *[Sign.PUSHED_BACK] * 5)
    assert [line.partition(": ")[2] for line in news] == [f"{low} of 8 requests at once" for low in (4, 2, 1)]


def test_after_a_calm_the_next_low_is_told_again(news: list[str]) -> None:
    clock = Clock()
    pressure = Pressure(8, clock)
    for _ in range(2):
        answer(pressure, Sign.PUSHED_BACK, *[Sign.TAKEN] * 40)
        clock.now += 60.0
    assert len(news) == 4


def test_a_pause_is_told_with_the_low(news: list[str]) -> None:
    answer(Pressure(8, Clock()), Sign.PUSHED_BACK, pause_s=30.0)
    assert news == ["the cluster is under pressure: 4 of 8 requests at once, after a pause of 30 s that it asks for"]


def test_a_pause_is_never_shortened_by_another() -> None:
    clock = Clock()
    pressure = Pressure(2, clock)
    rounds = [pressure.enter(lambda: False) for _ in range(2)]
    for began, pause_s in zip(rounds, (30.0, 1.0), strict=True):
        assert began is not None
        pressure.leave(began, Sign.PUSHED_BACK, pause_s=pause_s)
    clock.now += 29.0
    assert pressure.enter(lambda: False, until=clock.now) is None
    clock.now += 1.0
    assert pressure.enter(lambda: False, until=clock.now + 1) is not None


def test_a_wait_at_the_gate_ends_with_the_time_of_the_id() -> None:
    pressure = Pressure(1, Clock())
    assert pressure.enter(lambda: False) is not None
    assert pressure.enter(lambda: False, until=100.0) is None
    pressure.leave(0, Sign.NONE)
    assert pressure.enter(lambda: False, until=100.0) is not None


def test_who_is_halted_does_not_enter() -> None:
    assert Pressure(1, Clock()).enter(lambda: True) is None


def test_an_id_that_has_begun_passes_before_one_that_has_not() -> None:
    pressure = Pressure(1, Clock())
    began = pressure.enter(lambda: False)
    assert began is not None
    passed: list[str] = []
    waiting = threading.Semaphore(0)

    def told() -> bool:
        waiting.release()
        return False

    def pass_as(name: str, until: float | None) -> None:
        place = pressure.enter(told, until=until)
        assert place is not None
        passed.append(name)
        pressure.leave(place, Sign.TAKEN, took_s=QUICK_S)

    threads = [
        threading.Thread(target=pass_as, args=arguments)
        for arguments in (("new", None), ("new", None), ("begun", 1000.0), ("begun", 1000.0))
    ]
    for thread in threads:
        thread.start()
        for _ in range(2):  # it has seen that there is no place
            assert waiting.acquire(timeout=30)
    pressure.leave(began, Sign.TAKEN, took_s=QUICK_S)
    for thread in threads:
        thread.join(30)
    assert passed == ["begun", "begun", "new", "new"]


def test_an_id_that_comes_anew_takes_no_place_that_one_in_progress_was_woken_for() -> None:
    pressure = Pressure(2, Clock())
    pressure._begun.length = 1  # woken, and not yet running
    asked = iter([False, True])
    assert pressure.enter(lambda: next(asked)) is None
    assert pressure.enter(lambda: False, until=1000.0) is not None
    pressure._begun.length = 0
    assert pressure.enter(lambda: False) is not None
