"""Single results and single pages, odd ones included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from documents import compact

from etl.errors import UnreachableError
from etl.extract.filters import JobFilters
from etl.extract.walk.found import NO_ID, Kind, found_in
from etl.extract.walk.parts import Part, roots_of
from etl.extract.walk.trail import Order, OrderCheck
from etl.extract.wire import Response
from tests.walk.conftest import LISTED, doc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.walk.conftest import Launch

DEEP = b'{"id":"deep","metadata":' + b"[" * 400 + b"]" * 400 + b"}"


def test_a_result_is_read_as_the_filters_find_it() -> None:
    plain = found_in(compact({"id": "a", "status": "error", "job_type": "full", "connector": {"id": "c"}}))
    assert (plain.id, plain.kind, plain.connector_id) == ("a", Kind("error", "full", "c"), "c")
    flat = found_in(compact({"id": "b", "status": 3, "connector_id": "c"}))
    assert (flat.kind, flat.connector_id) == (Kind(None, None, None), "c")
    assert found_in(compact({"id": "c", "connector": "none"})).connector_id is None


@pytest.mark.parametrize("raw", [b"null", b"[]", b"7", b'{"id":""}', b'{"id":null}', b'{"id":"\xff"}', DEEP])
def test_what_is_no_job_is_kept_under_a_name_that_no_jobs_file_can_hold(raw: bytes) -> None:
    found = found_in(raw)
    if raw is DEEP:  # it has an id; what is wrong with it is for the tables to say
        assert found.id == "deep"
        return
    assert found.id.startswith(NO_ID)
    assert found.raw == raw
    assert found.problem
    assert found_in(raw) == found


def test_the_first_of_two_ids_counts_wherever_it_stands() -> None:
    assert found_in(b'{"status":"error","id":"a","id":"b"}').id == "a"
    assert found_in(b'{"id":"a","id":"b"}').id == "a"


def test_the_order_is_known_when_times_differ_and_lost_when_they_contradict() -> None:
    check = OrderCheck()
    orders = []
    for times in ([5, 5, None], [5, 4, None], [9, 8], [1, 2], [9, 8]):
        check.watch(times)
        orders.append(check.order)
    assert orders == [Order.UNKNOWN, Order.NEWEST_FIRST, Order.NEWEST_FIRST, Order.NONE, Order.NONE]


def test_one_job_type_is_a_part_of_its_own_and_several_are_one_part() -> None:
    assert roots_of(JobFilters(job_types=("full",))) == [Part(job_type="full")]
    assert roots_of(JobFilters(job_types=("incremental", "full"))) == [Part(job_types=("full", "incremental"))]
    assert str(Part(status="error", job_types=("full", "incremental"))) == "status error, job_type full or incremental"
    assert str(Part()) == "all jobs"


def window_error(reach: int) -> Response:
    reason = f"Result window is too large, from + size must be less than or equal to: [{reach}] but was [999]."
    cause = {"type": "illegal_argument_exception", "reason": reason}
    error = {"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [cause]}
    return Response(status=400, headers={}, body=compact({"error": error, "status": 400}))


def test_a_window_below_what_was_read_already_ends_the_part_there(launch: Launch) -> None:
    documents = {f"job-{number:02}": doc(number, connector=f"c{number % 4}") for number in range(60)}
    cluster = launch(documents)

    def instead(path: str, params: Mapping[str, Any]) -> Response | None:
        return window_error(25) if path == LISTED and params["from"] + params["size"] > 25 else None

    cluster.client.instead = instead
    answers, report = cluster.walked(page_size=20)
    assert {answer.id for answer in answers} == documents.keys()
    assert report.fatal is None

    cluster.client.asked.clear()
    cluster.client.instead = lambda path, _: (
        window_error(5) if path == LISTED and len(cluster.client.asked) > 1 else None
    )
    _, report = cluster.walked(page_size=20)
    assert isinstance(report.fatal, UnreachableError)  # a list that contradicts itself is no list


def test_more_connectors_than_can_be_listed_are_said(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number, connector=f"c{number % 52}") for number in range(200)}
    answers, report = launch(documents, window=50).walked(page_size=20, reach=50)
    assert 150 < len(answers) < 200
    assert "jobs without a known connector_id" in {part.lacks for part in report.incomplete}
    assert any("only the first 50 connectors" in note for note in report.notes)


def test_connectors_that_a_broken_cluster_does_not_list_are_said(launch: Launch) -> None:
    cluster = launch({f"job-{number:03}": doc(number, connector=f"c{number % 9}") for number in range(99)}, window=50)
    broken = Response(status=500, headers={}, body=compact({"error": {"type": "x", "reason": "y"}, "status": 500}))
    cluster.client.instead = lambda path, _: broken if path == "/_connector" else None
    answers, report = cluster.walked(page_size=20, reach=50)
    assert len(answers) == 99
    assert any("500: x: y" in note for note in report.notes)
