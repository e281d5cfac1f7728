"""Points in time that are lost, refused or half answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from documents import compact

from etl.errors import UnreachableError
from etl.extract.filters import JobFilters
from etl.extract.walk.parts import Part
from etl.extract.walk.point import query_of
from etl.extract.wire import Response
from etl.pipeline.times import time_of
from etl.sandbox.faults import Faults
from tests.walk.conftest import at, doc

if TYPE_CHECKING:
    from tests.walk.conftest import Launch

SETTINGS: dict[str, Any] = {"use_index": True, "page_size": 10, "reach": 30}


def many(count: int = 95) -> dict[str, Any]:
    """Make jobs of which several share a time, and some have none."""
    return {f"job-{number:03}": doc(number // 4 if number > 12 else None) for number in range(count)}


def test_a_point_that_is_lost_again_and_again_costs_no_job_and_gives_none_twice(launch: Launch) -> None:
    documents = many()
    cluster = launch(documents, window=30)
    cluster.client.before = lambda number, *_: cluster.sandbox.close_points_in_time() if number % 5 == 0 else None
    answers, report = cluster.walked(**SETTINGS)
    assert Counter(answer.id for answer in answers) == Counter(documents.keys())
    assert report.is_complete
    assert cluster.sandbox.requests_by_route["POST /{index}/_pit"] > 2


def test_a_point_that_is_lost_before_every_page_ends_the_reading_of_the_index(launch: Launch) -> None:
    cluster = launch(many(), window=30)
    cluster.client.before = lambda _, path, __: cluster.sandbox.close_points_in_time() if path == "/_search" else None
    _, report = cluster.walked(**SETTINGS)
    assert report.fatal is None
    assert any("index cannot be read" in note for note in report.notes)
    assert not report.is_complete


def test_what_changes_after_the_point_is_opened_is_not_dated_later(launch: Launch) -> None:
    cluster = launch(many(), window=30)
    answers, _ = cluster.walked(**SETTINGS)
    by_index = [answer.fetched_at for answer in answers[10:]]
    assert len(set(by_index)) == 1


def test_jobs_that_arrive_meanwhile_are_left_to_the_next_walk(launch: Launch) -> None:
    documents = many()
    cluster = launch(documents, window=30)
    before = Counter(documents.keys())

    def arrive(number: int, path: str, _params: Any) -> None:
        if path == "/_search":
            documents[f"new-{number}"] = doc(900 + number)

    cluster.client.before = arrive
    answers, report = cluster.walked(**SETTINGS)
    assert Counter(answer.id for answer in answers) == before
    assert report.newest == time_of(at(23))


def test_an_answer_of_which_a_shard_is_missing_is_asked_for_again_and_then_given_up(launch: Launch) -> None:
    cluster = launch(many(), window=30)
    partial = {"hits": {"total": {"value": 95}, "hits": []}, "timed_out": False, "_shards": {"failed": 1}}
    cluster.client.instead = lambda path, _: (
        Response(status=200, headers={}, body=compact(partial)) if path == "/_search" else None
    )
    _, report = cluster.walked(**SETTINGS)
    assert isinstance(report.fatal, UnreachableError)
    assert "given up after 3 attempts" in str(report.fatal)


def test_the_point_is_given_back_when_the_caller_has_enough(launch: Launch) -> None:
    cluster = launch(many(), window=30)
    answers = cluster.walk(**SETTINGS).answers()
    next(answers)
    next(answers)
    assert cluster.sandbox.open_points_in_time == 1
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert cluster.sandbox.open_points_in_time == 0


def test_faults_cost_no_job(launch: Launch) -> None:
    documents = many()
    cluster = launch(documents, window=30, faults=Faults(unavailable=0.2, cut=0.2, garbage=0.1, max_in_row=2))
    answers, report = cluster.walked(**SETTINGS)
    assert Counter(answer.id for answer in answers) == Counter(documents.keys())
    assert report.is_complete


def test_a_query_finds_no_less_than_the_filters_admit() -> None:
    filters = JobFilters(since=time_of("2026-10-01T00:00:00.000999Z"), until=time_of("2026-10-02T00:00:00.000001Z"))
    assert query_of(Part(), JobFilters()) == {"match_all": {}}
    clauses = query_of(Part(status="error", job_types=("full", "incremental"), connector_id="c"), filters)["bool"]
    assert {"term": {"status": "error"}} in clauses["filter"]
    assert {"terms": {"job_type": ["full", "incremental"]}} in clauses["filter"]
    (bounds,) = (clause["range"]["created_at"] for clause in clauses["filter"] if "range" in clause)
    assert bounds == {"gte": 1790812800000, "lte": 1790899200000, "format": "epoch_millis"}


def test_flat_documents_of_a_connector_are_found_in_the_index_that_does_not_know_their_connector(
    launch: Launch,
) -> None:
    documents = many(60) | {"flat": doc(5, connector=None, connector_id="c1"), "other": doc(6, connector=None)}
    answers, _ = launch(documents, window=30).walked(filters=JobFilters(connector_ids=("c1",)), **SETTINGS)
    assert {answer.id for answer in answers} == documents.keys() - {"other"}


def test_points_that_are_lost_among_jobs_of_one_time_end_the_reading_of_the_index(launch: Launch) -> None:
    cluster = launch({f"job-{number}": doc(None) for number in range(60)}, window=30)
    cluster.client.before = lambda number, *_: cluster.sandbox.close_points_in_time() if number % 3 == 0 else None
    answers, report = cluster.walked(**SETTINGS)
    assert len(answers) >= 30
    assert any("index cannot be read" in note for note in report.notes)
