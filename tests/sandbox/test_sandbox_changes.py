"""Jobs that come and jobs that move on: as many as asked for, the same in every sandbox."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from etl.errors import UsageError
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.identity import id_of
from etl.sandbox.moments import milliseconds
from etl.sandbox.population import DEMO_POPULATION, large_population

LIST = "/_connector/_sync_job"
FINAL = {"completed", "error", "canceled"}


def newest(client: Any, sandbox: Any, size: int) -> list[Any]:
    jobs: list[Any] = client.get(sandbox, f"{LIST}?size={size}").json()["results"]
    return jobs


def test_added_jobs_are_later_than_all_others_and_than_those_added_before(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=300)
    before = newest(client, sandbox, 300)
    added = [*sandbox.add_jobs(40), *sandbox.add_jobs(10)]
    assert added == [id_of(number) for number in range(300, 350)]
    after = newest(client, sandbox, 350)
    assert [job["id"] for job in after[:50]] == added[::-1]
    assert after[50:] == before
    times = [milliseconds(job["created_at"]) or 0 for job in after[:51]]
    assert all(later > earlier for later, earlier in pairwise(times))


def test_the_same_jobs_are_added_in_every_sandbox_however_many_at_a_time(launch: Any, client: Any) -> None:
    one, other = launch(jobs=20), launch(jobs=20)
    one.add_jobs(30)
    for _ in range(3):
        other.add_jobs(10)
    assert newest(client, one, 50) == newest(client, other, 50)


def test_an_added_job_is_as_new_as_when_it_came_however_often_others_moved_on(launch: Any, client: Any) -> None:
    early, late = launch(jobs=20), launch(jobs=20)
    late.advance()
    late.advance()
    early.add_jobs(10)
    late.add_jobs(10)
    assert newest(client, early, 10) == newest(client, late, 10)
    assert {job["status"] for job in newest(client, late, 10)} - FINAL
    late.advance()
    late.advance()
    assert {job["status"] for job in newest(client, late, 10)} <= FINAL


def test_exactly_so_many_jobs_move_on_and_their_ids_are_told(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=600)
    before = {job["id"]: job for job in newest(client, sandbox, 600)}
    moved = sandbox.advance(20)
    after = {job["id"]: job for job in newest(client, sandbox, 600)}
    assert len(moved) == len(set(moved)) == 20
    assert {job_id for job_id, job in after.items() if job != before[job_id]} == set(moved)
    assert all(after[job_id]["status"] != before[job_id]["status"] for job_id in moved)


def test_statuses_are_those_that_the_list_shows_also_of_jobs_that_came_and_moved_on(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=200)
    for _ in range(3):
        sandbox.add_jobs(7)
        sandbox.advance(limit=5)
    shown = {job["id"]: job["status"] for job in newest(client, sandbox, 300)}
    assert sandbox.statuses() == shown
    assert len(shown) == 221


def test_all_open_jobs_move_on_where_no_limit_is_given(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=600)
    before = {job["id"]: job for job in newest(client, sandbox, 600)}
    moved = sandbox.advance()
    assert set(moved) == {job_id for job_id, job in before.items() if job["status"] not in FINAL}
    sandbox.advance()
    assert sandbox.advance() == sandbox.advance(5) == []


def test_jobs_that_moved_on_have_another_version_and_number_and_others_keep_theirs(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=200)

    def versions() -> dict[str, tuple[int, int]]:
        ids = [id_of(number) for number in range(200)]
        docs = client.post(sandbox, "/.elastic-connectors-sync-jobs/_mget", {"ids": ids}).json()["docs"]
        return {doc["_id"]: (doc["_version"], doc["_seq_no"]) for doc in docs}

    before, moved, after = versions(), sandbox.advance(5), versions()
    assert {job_id for job_id in after if after[job_id] != before[job_id]} == set(moved)
    assert {after[job_id][0] for job_id in moved} == {2}
    assert len({number for _, number in after.values()}) == 200


def test_added_jobs_keep_the_quotas_of_their_population_and_exist_for_all_routes(launch: Any, client: Any) -> None:
    population = large_population(jobs=200, connectors=4, largest=80, deleted=1, untyped=0, undated=0, tied=0)
    sandbox = launch(jobs=200, population=population)
    sandbox.add_jobs(200)
    listed = client.get(sandbox, f"{LIST}?connector_id={population.connectors[0].id}&size=0").json()
    assert listed["count"] == 160
    assert client.job(sandbox, id_of(399)).json()["id"] == id_of(399)
    assert client.job(sandbox, id_of(400)).status_code == 404


def test_adding_none_changes_nothing() -> None:
    jobs = GeneratedJobs(1, 5, DEMO_POPULATION)
    before = jobs.view()
    assert jobs.add(0) == []
    assert jobs.view() is before


def test_a_view_does_not_change_when_its_entries_are_asked_for_late() -> None:
    jobs = GeneratedJobs(1, 200, DEMO_POPULATION)
    first = GeneratedJobs(1, 200, DEMO_POPULATION).view().newest_first
    view = jobs.view()
    jobs.add(10)
    jobs.advance(None)
    assert len(jobs.view().newest_first) == 210
    assert view.newest_first == first


def test_documents_beyond_what_is_kept_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.sandbox.generated._KEPT_BYTES", 20_000)
    jobs = GeneratedJobs(1, 50, DEMO_POPULATION)
    bodies = [jobs.body(id_of(number)) for number in range(50)]
    assert [jobs.body(id_of(number)) for number in range(50)] == bodies
    assert sum(len(body) for body in jobs._factory._bodies.values()) <= 20_000


def test_what_cannot_be_added_is_a_usage_error(launch: Any) -> None:
    with pytest.raises(UsageError, match="negative"):
        launch(jobs=5).add_jobs(-1)
    with pytest.raises(UsageError, match="given documents"):
        launch(documents={}).add_jobs(1)
    assert launch(documents={"a": {"status": "pending"}}).advance() == []
