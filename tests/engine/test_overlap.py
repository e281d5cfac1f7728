"""Tasks in this program: results in order, and the next one is fetched while one is staged."""

from __future__ import annotations

from threading import Event

import pytest

from etl.engine.local import workers_for
from etl.engine.work import Steps, overlapped

PATIENCE_S = 60.0  # only a test that fails waits as long


def test_a_task_is_staged_while_the_next_one_is_fetched() -> None:
    second_is_fetched = Event()

    def fetch(task: int) -> int:
        if task == 2:
            second_is_fetched.set()
        return task * 10

    def stage(task: int, fetched: int) -> tuple[int, int, bool]:
        return task, fetched, task > 1 or second_is_fetched.wait(PATIENCE_S)

    assert list(overlapped(Steps(fetch=fetch, stage=stage), [1, 2, 3])) == [(1, 10, True), (2, 20, True), (3, 30, True)]


def test_fetching_does_not_run_away_from_staging() -> None:
    go_on, fetched = Event(), []

    def fetch(task: int) -> int:
        fetched.append(task)
        if len(fetched) == 2:
            go_on.set()
        return task

    def stage(task: int, _: int) -> int:
        assert go_on.wait(PATIENCE_S) or task
        return len(fetched)

    seen = list(overlapped(Steps(fetch=fetch, stage=stage), range(20)))

    assert len(seen) == 20
    assert all(count <= task + 2 for task, count in enumerate(seen))


def test_what_is_staged_when_a_fetch_breaks_is_still_yielded() -> None:
    def fetch(task: int) -> int:
        return 100 // (3 - task)

    results = overlapped(Steps(fetch=fetch, stage=lambda task, _: task), range(10))

    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_workers_are_started_where_there_is_enough_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})

    assert [workers_for(jobs, concurrency=8) for jobs in (0, 20, 3_999, 4_000, 7_999, 1_000_000)] == [1, 1, 1, 2, 3, 4]
    assert workers_for(1_000_000, concurrency=1) == 1
