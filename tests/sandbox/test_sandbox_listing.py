"""The list of jobs with the limits of the real one."""

from __future__ import annotations

from typing import Any

import pytest

from etl.sandbox.identity import id_of
from etl.sandbox.outline import outline_of
from etl.sandbox.settings import SEED

LIST = "/_connector/_sync_job"


def test_a_page_holds_100_jobs_the_newest_first_and_the_undated_last(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=400)
    pages = [client.get(sandbox, f"{LIST}?from={start}").json() for start in range(0, 500, 100)]
    assert [len(page["results"]) for page in pages] == [100, 100, 100, 100, 0]
    assert {page["count"] for page in pages} == {400}
    found = [job["id"] for page in pages for job in page["results"]]
    outlines = sorted(
        (outline_of(SEED, number) for number in range(400)),
        key=lambda one: -one.created if one.is_dated else 0,
    )
    assert found == [id_of(one.number) for one in outlines]


def test_a_job_in_a_list_is_the_same_as_alone(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=20)
    for job in client.get(sandbox, LIST).json()["results"]:
        assert client.job(sandbox, job["id"]).json() == job


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("status=COMPLETED", lambda one: one.status == "completed"),
        ("job_type=full", lambda one: one.job_type == "full"),
        ("job_type=full,access_control", lambda one: one.job_type in {"full", "access_control"}),
        ("connector_id=wiki&status=error", lambda one: one.connector.id == "wiki" and one.status == "error"),
        ("connector_id=unknown", lambda _one: False),
    ],
)
def test_filters_narrow_the_list_by_what_the_documents_say(launch: Any, client: Any, query: str, wanted: Any) -> None:
    page = client.get(launch(jobs=300), f"{LIST}?size=300&{query}").json()
    outlines = [one for one in (outline_of(SEED, number) for number in range(300)) if wanted(one)]
    if "connector_id" in query:  # the flat documents of 8.5 have no nested connector that a filter could find
        outlines = [one for one in outlines if one.writer != "flat 8.5"]
    assert {job["id"] for job in page["results"]} == {id_of(one.number) for one in outlines}
    assert page["count"] == len(outlines)


def test_the_count_stops_at_10000(launch: Any, client: Any) -> None:
    page = client.get(launch(jobs=10_050), f"{LIST}?from=9995&size=5").json()
    assert page["count"] == 10_000
    assert len(page["results"]) == 5


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("from=-1", "Parameter [from] cannot be < 0"),
        ("size=-5", "Parameter [size] cannot be < 0"),
        ("size=many", "Failed to parse int parameter [size] with value [many]"),
        ("job_type=full,permissions", "Unknown JobType: permissions"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(launch: Any, client: Any, query: str, reason: str) -> None:
    answer = client.get(launch(), f"{LIST}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == reason


def test_a_cluster_without_the_index_has_an_empty_list(launch: Any, client: Any) -> None:
    answer = client.get(launch(has_index=False), LIST)
    assert answer.status_code == 200
    assert answer.json() == {"count": 0, "results": []}


def test_given_documents_are_listed_by_their_times_in_any_form(launch: Any, client: Any) -> None:
    documents: dict[str, Any] = {
        "naive": {"created_at": "2025-01-02T00:00:00"},
        "epoch": {"created_at": 1_735_700_000_000},
        "none": {"created_at": None},
        "offset": b'{"id":"offset","created_at":"2025-01-01T23:00:00-05:00","status":"error"}',
        "no json": b"<html>",
        "odd": {"created_at": "soon", "connector": None},
    }
    sandbox = launch(documents=documents)
    found = [job["id"] for job in client.get(sandbox, LIST).json()["results"]]
    assert found == ["offset", "naive", "epoch", "none", "odd"]
    assert client.get(sandbox, f"{LIST}?status=error").json()["count"] == 1


def test_lists_see_jobs_that_moved_on(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=300)
    assert client.get(sandbox, f"{LIST}?status=in_progress").json()["count"] > 0
    sandbox.advance()
    sandbox.advance()
    assert client.get(sandbox, f"{LIST}?status=in_progress").json() == {"count": 0, "results": []}
