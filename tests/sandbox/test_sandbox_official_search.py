"""The official client walks, searches and counts the sandbox, and finds the same documents on every way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from elasticsearch import ApiError, AuthorizationException, BadRequestError, NotFoundError

from etl.sandbox.access import ApiKey
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import MISSING_FROM, id_of
from etl.sandbox.population import large_population
from etl.sandbox.settings import FULL_KEY, SEED

if TYPE_CHECKING:
    from collections.abc import Callable

ALIAS = ".elastic-connectors-sync-jobs"
INDEX = ".elastic-connectors-sync-jobs-v1"
JOBS = 2_000
NEWEST_FIRST = [{"created_at": "desc"}, "_shard_doc"]


def expected(job: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in job.items() if key != "id"}


def walk(one: Any, pit: str, **more: Any) -> list[Any]:
    """Return all hits of a point in time, page by page."""
    hits: list[Any] = []
    after = None
    while True:
        if after is not None:
            more["search_after"] = after
        answer = one.search(pit={"id": pit, "keep_alive": "1m"}, **({"size": 300, "sort": NEWEST_FIRST} | more))
        page = answer["hits"]["hits"]
        if not page:
            return hits
        hits += page
        after = page[-1]["sort"]


@pytest.mark.slow
def test_2000_jobs_are_the_same_alone_in_lists_by_many_ids_and_in_searches(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=JOBS))
    jobs = {id_of(number): generate_job(SEED, number) for number in range(JOBS)}
    for job_id in [*jobs][::4]:  # the client takes a millisecond a request to warn that the API is beta
        assert one.connector.sync_job_get(connector_sync_job_id=job_id).body == jobs[job_id]
    listed: list[Any] = []
    while page := one.connector.sync_job_list(from_=len(listed), size=700)["results"]:
        listed += page
    assert {job["id"]: job for job in listed} == jobs
    assert len(listed) == JOBS
    many = one.mget(index=ALIAS, ids=list(jobs))["docs"]
    assert [doc["_id"] for doc in many] == list(jobs)
    assert all(doc["_source"] == expected(jobs[doc["_id"]]) for doc in many)
    pit = one.open_point_in_time(index=ALIAS, keep_alive="1m")["id"]
    hits = walk(one, pit)
    assert [hit["_id"] for hit in hits] == [job["id"] for job in listed]
    assert all(hit["_source"] == expected(jobs[hit["_id"]]) for hit in hits)


def test_it_closes_what_it_opened(launch: Any, connect: Any) -> None:
    sandbox = launch(jobs=3)
    one = connect(sandbox)
    pit = one.open_point_in_time(index=INDEX, keep_alive="1m")["id"]
    assert sandbox.open_points_in_time == 1
    assert one.close_point_in_time(id=pit).body == {"succeeded": True, "num_freed": 1}
    assert sandbox.open_points_in_time == 0
    with pytest.raises(NotFoundError) as caught:
        one.search(pit={"id": pit}, sort=NEWEST_FIRST)
    assert caught.value.body["error"]["root_cause"][0]["type"] == "search_context_missing_exception"


def test_a_point_in_time_stays_as_it_is_while_jobs_come_and_move_on(launch: Any, connect: Any) -> None:
    sandbox = launch(jobs=500)
    one = connect(sandbox)
    pit = one.open_point_in_time(index=ALIAS, keep_alive="1m")["id"]
    first = one.search(pit={"id": pit}, size=100, sort=NEWEST_FIRST)["hits"]["hits"]
    added, moved = sandbox.add_jobs(50), sandbox.advance(20)
    rest = walk(one, pit, search_after=first[-1]["sort"])
    found = {hit["_id"]: hit["_source"] for hit in [*first, *rest]}
    assert found == {id_of(number): expected(generate_job(SEED, number)) for number in range(500)}
    later = walk(one, one.open_point_in_time(index=ALIAS, keep_alive="1m")["id"])
    assert [hit["_id"] for hit in later[:50]] == added[::-1]
    assert {hit["_id"] for hit in later if found.get(hit["_id"], hit["_source"]) != hit["_source"]} == set(moved)


def test_pages_of_a_list_shift_when_jobs_come_in_between(launch: Any, connect: Any) -> None:
    sandbox = launch(jobs=200)
    one = connect(sandbox)
    first = one.connector.sync_job_list(size=100)["results"]
    sandbox.add_jobs(3)
    second = one.connector.sync_job_list(from_=100, size=100)["results"]
    assert [job["id"] for job in second[:3]] == [job["id"] for job in first[-3:]]


def test_it_lists_connectors_that_exist_and_jobs_also_of_those_that_do_not(launch: Any, connect: Any) -> None:
    population = large_population(jobs=800, connectors=8, largest=300, deleted=2, untyped=0, undated=0, tied=0)
    one = connect(launch(jobs=800, population=population))
    page = one.connector.list(size=5)
    assert page["count"] == 6
    names = [connector["index_name"] for connector in page["results"]]
    assert names == sorted(names)
    rest = one.connector.list(from_=5, size=5)["results"]
    ids = {connector["id"] for connector in [*page["results"], *rest]}
    assert ids == {connector.id for connector in population.connectors} - population.deleted
    for gone in population.deleted:
        assert one.connector.sync_job_list(connector_id=gone)["count"] > 0


def test_it_counts_exactly_where_a_list_stops_counting(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=10_020))
    assert one.connector.sync_job_list(size=1)["count"] == 10_000
    assert one.count(index=ALIAS)["count"] == 10_020
    full = {"bool": {"filter": [{"term": {"job_type": "full"}}], "must_not": [{"exists": {"field": "connector.id"}}]}}
    assert one.count(index=ALIAS, query=full)["count"] == 0
    assert one.search(index=INDEX, size=0)["hits"]["total"] == {"value": 10_000, "relation": "gte"}
    exact = one.search(index=INDEX, size=0, track_total_hits=True)["hits"]
    assert exact == {"total": {"value": 10_020, "relation": "eq"}, "max_score": None, "hits": []}
    assert "total" not in one.search(index=INDEX, size=0, track_total_hits=False)["hits"]


@pytest.mark.parametrize("ask", ["sync_job_list", "list", "search", "pit"])
def test_no_page_reaches_beyond_the_window(launch: Any, connect: Any, ask: str) -> None:
    one = connect(launch(jobs=10))
    pit = one.open_point_in_time(index=ALIAS, keep_alive="1m")["id"]
    asks: dict[str, Callable[[], Any]] = {
        "sync_job_list": lambda: one.connector.sync_job_list(from_=9_990, size=11),
        "list": lambda: one.connector.list(from_=9_990, size=11),
        "search": lambda: one.search(index=ALIAS, from_=9_990, size=11),
        "pit": lambda: one.search(pit={"id": pit}, size=10_001),
    }
    with pytest.raises(BadRequestError) as caught:
        asks[ask]()
    assert caught.value.error == "search_phase_execution_exception"
    assert "but was [10001]" in caught.value.body["error"]["root_cause"][0]["reason"]


def test_a_smaller_window_holds_for_every_page_and_count(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=150, window=100))
    assert one.connector.sync_job_list(from_=90, size=10)["count"] == 100
    with pytest.raises(BadRequestError, match=r"equal to: \[100\] but was \[101\]"):
        one.connector.sync_job_list(from_=90, size=11)


def test_many_ids_are_answered_one_by_one_also_those_that_are_missing(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=5))
    missing = id_of(MISSING_FROM)
    docs = one.mget(index=ALIAS, docs=[{"_id": id_of(3)}, {"_id": missing}, {"_id": id_of(3), "_source": ["status"]}])
    assert docs["docs"][1] == {"_index": INDEX, "_id": missing, "found": False}
    assert docs["docs"][0]["found"] is True
    assert list(docs["docs"][2]["_source"]) == ["status"]
    assert docs["docs"][0].keys() == {"_index", "_id", "_version", "_seq_no", "_primary_term", "found", "_source"}


def test_sort_values_fall_and_come_back_for_undated_jobs_as_the_least_long(launch: Any, connect: Any) -> None:
    population = large_population(jobs=300, connectors=3, largest=100, deleted=0, undated=4, tied=200, untyped=0)
    one = connect(launch(jobs=300, population=population))
    hits = walk(one, one.open_point_in_time(index=ALIAS, keep_alive="1m")["id"], size=7)
    values = [tuple(hit["sort"]) for hit in hits]
    assert len({hit["_id"] for hit in hits}) == len(hits) == 300
    assert all(earlier[0] >= later[0] for earlier, later in pairwise(values))
    assert [value for value, _ in values[-4:]] == [-(2**63)] * 4
    assert len({value for value, _ in values}) < 290


def test_it_understands_that_an_index_may_not_be_read(launch: Any, connect: Any) -> None:
    key = ApiKey(id="monitors", secret="s", privileges=frozenset({"monitor_connector"}))
    one = connect(launch(jobs=5, api_keys=(key,)))
    assert one.connector.sync_job_list()["count"] == 5
    assert one.connector.list()["count"] == 13
    for ask in (
        lambda: one.mget(index=ALIAS, ids=["a"]),
        lambda: one.search(index=ALIAS),
        lambda: one.count(index=ALIAS),
        lambda: one.open_point_in_time(index=ALIAS, keep_alive="1m"),
        one.info,
    ):
        with pytest.raises(AuthorizationException):
            ask()


def test_it_filters_answers_by_path(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=40))
    listed = one.connector.sync_job_list(filter_path="-results.connector.configuration")
    whole = one.connector.sync_job_list()
    assert listed["count"] == 40
    for job, full in zip(listed["results"], whole["results"], strict=True):
        if isinstance(full.get("connector"), dict):
            full["connector"].pop("configuration", None)
        assert job == full
    alone = one.connector.sync_job_get(connector_sync_job_id=id_of(1), filter_path=["id", "status"])
    assert alone.body == {"id": id_of(1), "status": generate_job(SEED, 1)["status"]}


def test_it_is_told_that_there_is_no_index(launch: Any, connect: Any) -> None:
    one = connect(launch(has_index=False))
    with pytest.raises(NotFoundError) as caught:
        one.search(index=ALIAS)
    assert caught.value.error == "index_not_found_exception"
    assert one.mget(index=ALIAS, ids=["a"])["docs"][0]["error"]["type"] == "index_not_found_exception"
    assert one.connector.list().body == {"count": 0, "results": []}
    assert one.search(index=ALIAS, ignore_unavailable=True)["hits"]["hits"] == []
    assert one.count(index=ALIAS, ignore_unavailable=True)["count"] == 0


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"match_most": {}}, "parsing_exception"),
        ({"range": {"created_at": {"gte": "soon"}}}, "parse_exception"),
        ({"bool": {"filtre": []}}, "parsing_exception"),
    ],
)
def test_a_query_that_is_none_is_refused(launch: Any, connect: Any, query: dict[str, Any], kind: str) -> None:
    one = connect(launch(jobs=5, api_keys=(FULL_KEY,)))
    with pytest.raises(ApiError) as caught:
        one.search(index=ALIAS, query=query)
    assert (caught.value.status_code, caught.value.error) == (400, kind)
