from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from etl.load import merge
from etl.load.build import Limits
from etl.load.manifest import RunState
from etl.load.staged import Fate
from tests.load.conftest import HOUR, NOW, Job, Run, assert_tidy, assert_whole, at, contents, expected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.load.conftest import TracedStorage

A = Job(id="a", created_at=at(3), fields={"host": "h", "password": None}, rules=2, messages=[["x"], None], issues=1)
B = Job(id="b", created_at=at(2), fields={"host": "h"})
C = Job(id="c", created_at=at(5, month=10), rules=1)
UNDATED = Job(id="u", created_at=None, issues=2)


def later(job: Job, **changes: Any) -> Job:
    return replace(job, **({"fetched_at": job.fetched_at + HOUR} | changes))


def test_the_first_run_publishes_all_rows_in_order(storage: TracedStorage, root: Path) -> None:
    closing = Run(storage).publish([A, B], [C, UNDATED])
    assert contents(root) == expected([A, B, C, UNDATED])
    assert closing.run.state is RunState.PUBLISHED
    assert closing.run.outcomes == {"loaded": 4}
    assert_whole(root)
    assert_tidy(root)


def test_a_changed_job_replaces_its_rows_in_all_tables_also_where_none_come(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A, B, C])
    bare = later(A, fields={}, rules=0, messages=[], issues=0)
    run = Run(storage, now=NOW + HOUR)
    run.publish([bare])
    assert contents(root) == expected([bare, B, C])
    assert run.plan is not None
    assert run.plan.fates_of(["a", "b"]) == [Fate.CHANGED, None]


@pytest.mark.parametrize("created_at", [at(9, month=10), at(9, month=12), None], ids=["before", "after", "undated"])
def test_a_job_that_changes_its_month_stands_once(storage: TracedStorage, root: Path, created_at: None) -> None:
    Run(storage).publish([A, B, C])
    moved = later(A, created_at=created_at)
    Run(storage, now=NOW + HOUR).publish([moved])
    assert contents(root) == expected([moved, B, C])
    assert_whole(root)


def test_an_undated_job_that_gets_a_date_stands_once_and_no_undated_file_is_left(
    storage: TracedStorage, root: Path
) -> None:
    Run(storage).publish([A, UNDATED])
    dated = later(UNDATED, created_at=at(1))
    Run(storage, now=NOW + HOUR).publish([dated])
    assert contents(root) == expected([A, dated])
    assert list((root / "latest").rglob("undated_*")) == []


def test_a_run_that_changes_nothing_publishes_nothing(storage: TracedStorage, root: Path) -> None:
    first = Run(storage).publish([A, B, C, UNDATED])
    run = Run(storage, now=NOW + HOUR)
    closing = run.publish([later(A), later(C)], [later(UNDATED)])
    assert closing.snapshot is None
    assert closing.run.state is RunState.UNCHANGED
    assert closing.run.rechecks == 3
    assert contents(root) == expected([A, B, C, UNDATED])
    assert (root / "latest").readlink().name == first.run.run_id
    assert_tidy(root)


@pytest.mark.parametrize(
    "change",
    [
        {"error": "boom"},
        {"fields": {"host": "h", "password": "shown"}},
        {"fields": {"host": "h", "passwort": None}},
        {"fields": {"host": "h"}},
        {"rules": 3},
        {"rules": 1},
        {"messages": [["y"], None]},
        {"messages": [["x"], []]},
        {"messages": [["x", None], None]},
        {"messages": [[None], None]},
        {"messages": [None, None]},
        {"issues": 0},
        {"created_at": at(3, 1)},
    ],
    ids=str,
)
def test_any_other_value_in_any_table_is_a_change(
    storage: TracedStorage, root: Path, change: dict[str, object]
) -> None:
    Run(storage).publish([A, B])
    changed = later(A, **change)
    run = Run(storage, now=NOW + HOUR)
    run.publish([later(B), changed])
    assert run.plan is not None
    assert run.plan.fates_of(["a", "b", "c"]) == [Fate.CHANGED, Fate.UNCHANGED, None]
    assert contents(root) == expected([changed, B])


def test_a_row_fetched_before_the_published_one_stays_out(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    run = Run(storage, now=NOW + HOUR)
    closing = run.publish([replace(A, error="old news", fetched_at=NOW - HOUR)])
    assert closing.snapshot is None
    assert run.plan is not None
    assert run.plan.fates_of(["a"]) == [Fate.OLDER]
    assert contents(root) == expected([A])


def test_of_two_staged_versions_the_one_fetched_later_wins(storage: TracedStorage, root: Path) -> None:
    newest = later(A, error="newest")
    Run(storage).publish([newest], [A], [B])
    assert contents(root) == expected([newest, B])


def test_of_two_staged_versions_fetched_at_once_the_later_batch_wins(storage: TracedStorage, root: Path) -> None:
    last = replace(A, error="last", rules=0)
    Run(storage).publish([A], [last])
    assert contents(root) == expected([last])


def test_untouched_months_keep_their_very_files(storage: TracedStorage, root: Path) -> None:
    first = Run(storage).publish([A, C])
    second = Run(storage, now=NOW + HOUR).publish([later(A, error="x")])
    assert first.snapshot is not None
    assert second.snapshot is not None

    def october(manifest: object) -> list[object]:
        return [entry for entry in manifest.tables["sync_jobs"].files if entry.month == "2026-10"]  # type: ignore[attr-defined]

    assert october(first.snapshot) == october(second.snapshot)
    path = october(first.snapshot)[0].path  # type: ignore[attr-defined]
    folder = root / "snapshots"
    assert (folder / first.run.run_id / path).samefile(folder / second.run.run_id / path)


def test_a_published_job_that_is_missing_gets_the_time_once(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A, B, C])
    gone = NOW + HOUR
    closing = Run(storage, now=gone).publish([], not_found={"a": gone, "never heard of": gone})
    assert closing.snapshot is not None
    assert contents(root) == expected([A, B, C], {"a": gone})
    again = Run(storage, now=gone + HOUR).publish([], not_found={"a": gone + HOUR})
    assert again.snapshot is None
    assert contents(root) == expected([A, B, C], {"a": gone})


def test_a_job_that_comes_back_loses_the_time(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    Run(storage, now=NOW + HOUR).publish([], not_found={"a": NOW + HOUR})
    back = replace(A, fetched_at=NOW + 2 * HOUR)
    Run(storage, now=NOW + 2 * HOUR).publish([back])
    assert contents(root) == expected([back])


def test_a_job_that_was_missing_before_it_was_fetched_again_unchanged_is_not_missing(
    storage: TracedStorage, root: Path
) -> None:
    Run(storage).publish([A])
    Run(storage, now=NOW + HOUR).die_after_staging([], not_found={"a": NOW + HOUR})
    closing = Run(storage, now=NOW + 2 * HOUR).publish([replace(A, fetched_at=NOW + 2 * HOUR)])
    assert closing.snapshot is None
    assert contents(root) == expected([A])


def test_a_job_that_was_missing_before_it_was_published_is_not_missing(storage: TracedStorage, root: Path) -> None:
    Run(storage).publish([A])
    assert Run(storage, now=NOW + HOUR).publish([], not_found={"a": NOW - HOUR}).snapshot is None
    assert contents(root) == expected([A])


def test_a_job_that_goes_missing_after_it_was_staged_is_loaded_with_the_time(
    storage: TracedStorage, root: Path
) -> None:
    Run(storage).die_after_staging([A, B])
    Run(storage, now=NOW + HOUR).publish([], not_found={"a": NOW + HOUR, "b": NOW - HOUR})
    assert contents(root) == expected([A, B], {"a": NOW + HOUR})


def test_the_rows_of_very_many_sources_and_small_files_come_out_in_order(storage: TracedStorage, root: Path) -> None:

    jobs = [Job(id=f"{n:03}", created_at=at(1 + n * 7 % 28), rules=n % 3, issues=n % 2) for n in range(30)]
    limits = {"limits": Limits(file_rows=8, sources=3)}
    closing = Run(storage, opening=limits).publish(*[[job] for job in jobs])
    assert contents(root) == expected(jobs)
    assert closing.snapshot is not None
    assert [entry.rows for entry in closing.snapshot.tables["sync_jobs"].files] == [8, 8, 8, 6]
    changed = [later(job, error="x") if n % 2 else later(job) for n, job in enumerate(jobs)]
    run = Run(storage, now=NOW + HOUR, opening=limits)
    run.publish(*[[job] for job in changed])
    assert contents(root) == expected([changed[n] if n % 2 else job for n, job in enumerate(jobs)])
    assert_whole(root)
    assert_tidy(root)


def test_more_batches_than_are_read_side_by_side_are_merged_in_rounds(storage: TracedStorage, root: Path) -> None:
    days = [at(1), at(28)]  # so that all batches lie side by side
    batches = [[Job(id=f"{n:03} {day.day}", created_at=day, rules=1) for day in days] for n in range(130)]
    jobs = [job for batch in batches for job in batch]
    Run(storage).publish(*batches)
    assert contents(root) == expected(jobs)
    assert any("merge.tmp" in str(path) for _, path, _ in storage.trace)
    assert_tidy(root)


def test_any_number_of_batches_that_follow_each_other_is_merged_at_once(storage: TracedStorage, root: Path) -> None:
    jobs = [Job(id=f"{n:03}", created_at=at(1 + n // 24, n % 24), rules=1) for n in range(130)]
    Run(storage).publish(*[[job] for job in jobs])
    assert contents(root) == expected(jobs)
    assert not any("merge.tmp" in str(path) for _, path, _ in storage.trace)


def test_jobs_of_one_moment_are_in_the_order_of_their_ids_wherever_they_are_cut(
    storage: TracedStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "STRETCH_JOBS", 3)
    monkeypatch.setattr(merge, "WINDOW_BYTES", 1)
    jobs = [Job(id=f"{n:02}", created_at=None if n % 2 else at(), rules=n % 3) for n in range(40)]
    Run(storage).publish(jobs[:7], jobs[7:20], jobs[20:])
    changed = [later(job, rules=5) for job in jobs[::5]]
    Run(storage, now=NOW + HOUR).publish(changed)
    assert contents(root) == expected([*changed, *(job for n, job in enumerate(jobs) if n % 5)])
