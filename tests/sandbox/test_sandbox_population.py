"""Whose jobs there are: exact numbers where they are asked for, and an index that knows what the documents say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from etl import jsontext
from etl.errors import UsageError
from etl.sandbox.catalogue import entry_of
from etl.sandbox.connectors import CONNECTORS
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.outline import outline_of
from etl.sandbox.population import DEMO_POPULATION, Population, Quotas, large_population

ROUND = 1_200
SMALL = large_population(jobs=ROUND, connectors=20, largest=500, deleted=3, untyped=48, undated=6, tied=120)


def test_the_large_population_has_the_numbers_that_it_names() -> None:
    population = large_population()
    outlines = [outline_of(7, number, population=population) for number in range(60_000)]
    by_connector = Counter(one.connector.id for one in outlines)
    assert len(by_connector) == 40
    assert by_connector.most_common(1) == [(CONNECTORS[0].id, 25_000)]
    assert set(by_connector.values()) == {25_000, 897, 898}
    assert len(population.deleted) == 3
    assert population.deleted < by_connector.keys()
    assert sum(one.job_type is None for one in outlines) == 500
    assert sum(not one.is_dated for one in outlines) == 60
    times = Counter(one.created for one in outlines)
    assert 2_500 < sum(count for count in times.values() if count > 1) <= 3_000


@pytest.mark.parametrize("first", [0, 1, 777])
def test_quotas_hold_in_every_round_whichever_job_is_its_first(first: int) -> None:
    outlines = [outline_of(1, number, population=SMALL) for number in range(first, first + ROUND)]
    assert SMALL.quotas is not None
    by_connector = Counter(one.connector.id for one in outlines)
    assert tuple(by_connector[one.id] for one in SMALL.connectors) == SMALL.quotas.by_connector
    assert sum(one.job_type is None for one in outlines) == 48
    assert sum(not one.is_dated for one in outlines) == 6


def test_quotas_are_spread_over_the_round_and_over_the_connectors() -> None:
    outlines = [outline_of(1, number, population=SMALL) for number in range(ROUND)]
    untyped = [one for one in outlines if one.job_type is None]
    assert len({one.number // 200 for one in untyped}) == 6
    assert len({one.connector.id for one in untyped}) > 8
    assert Counter(one.connector.id for one in outlines[:300])[CONNECTORS[0].id] in range(120, 131)


@pytest.mark.parametrize("population", [DEMO_POPULATION, SMALL])
def test_the_index_knows_of_each_job_what_its_document_says_at_every_step(population: Population) -> None:
    jobs = GeneratedJobs(3, ROUND, population)
    for change in (lambda: None, lambda: jobs.advance(20), lambda: jobs.add(60), lambda: jobs.advance(None)):
        change()
        view = jobs.view()
        for entry in view.newest_first:
            body = view.body(entry.id)
            assert body is not None
            assert entry_of(entry.id, entry.ordinal, jsontext.decode(body)) == entry


def test_connectors_of_one_service_have_secrets_of_their_own(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=ROUND, population=SMALL)
    page = client.get(sandbox, "/_connector?size=50&service_type=mongodb").json()["results"]
    assert len(page) == 2
    passwords = {connector["configuration"]["password"]["value"] for connector in page}
    assert len(passwords) == 2


@pytest.mark.parametrize(
    "numbers",
    [
        {"by_connector": ()},
        {"by_connector": (0, 0)},
        {"by_connector": (5, -1)},
        {"by_connector": (5,), "untyped": 6},
        {"by_connector": (5,), "tied": -1},
    ],
)
def test_quotas_that_cannot_be_are_a_usage_error(numbers: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="quotas"):
        Quotas(**numbers)


@pytest.mark.parametrize(
    "settings", [{"deleted": frozenset({"nobody"})}, {"quotas": Quotas(by_connector=(1, 2))}], ids=["deleted", "quotas"]
)
def test_a_population_that_contradicts_itself_is_a_usage_error(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="population"):
        Population(**settings)


@pytest.mark.parametrize("settings", [{"connectors": 1}, {"deleted": 41}, {"largest": 60_001}])
def test_a_large_population_that_cannot_be_is_a_usage_error(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        large_population(**settings)
