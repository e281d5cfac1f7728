"""Which way to fetch a list of ids is cheaper."""

from __future__ import annotations

import pytest

from etl.extract.walk.strategy import choose
from etl.settings import Strategy


@pytest.mark.parametrize(
    ("ids", "count", "strategy"),
    [
        (9_000, 9_500, Strategy.PAGE),
        (50, 9_500, Strategy.GET),
        (1, 1, Strategy.GET),
        (0, 9_500, Strategy.GET),
        (900, 1_000, Strategy.PAGE),
        (500, 10_000, Strategy.GET),
        (50_000, 10_000, Strategy.PAGE),
    ],
)
def test_many_ids_of_few_jobs_are_paged_and_few_of_many_got(ids: int, count: int, strategy: Strategy) -> None:
    assert choose(ids=ids, count=count).strategy is strategy


def test_the_costs_are_shown_and_the_index_is_never_chosen() -> None:
    choice = choose(ids=9_000, count=9_500)
    assert (choice.get_cost, choice.page_cost) == (9_450, 485)
    assert str(choice) == "page: 9,000 ids of 9,500 jobs cost 9,450 one by one, 485 by walking the list"
    assert "perhaps" in str(choose(ids=10, count=10_000))
    assert {
        choose(ids=ids, count=count).strategy for ids in range(0, 20_000, 500) for count in range(0, 10_001, 500)
    } == {
        Strategy.GET,
        Strategy.PAGE,
    }


def test_more_ids_never_turn_paging_back_into_getting() -> None:
    for count in (10, 500, 9_999, 10_000):
        chosen = [choose(ids=ids, count=count).strategy for ids in range(0, 30_000, 10)]
        assert chosen == sorted(chosen, key=lambda one: one is Strategy.PAGE)
