from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from etl.errors import OutputError
from etl.load.index import INDEX_COLUMNS, build_index
from tests.load.conftest import HOUR, NOW, Job, Run, at, provenance_of, tables_of

if TYPE_CHECKING:
    from pathlib import Path

    from etl.load.index import JobIndex
    from tests.load.conftest import TracedStorage

MINUTE = timedelta(minutes=1)


def index_of(*jobs: Job, settle: timedelta = HOUR) -> JobIndex:
    rows = tables_of(jobs)["sync_jobs"].select(INDEX_COLUMNS)
    return build_index([rows.slice(first, 2) for first in range(0, len(jobs), 2)], len(jobs), settle)


def is_settled(index: JobIndex, job_id: str) -> bool:
    return bool(index.settled_of([job_id])[0])


def test_months_and_unknown_jobs_are_told_apart() -> None:
    index = index_of(
        Job(id="a", created_at=at(1)), Job(id="b", created_at=None), Job(id="c", created_at=at(1, month=9))
    )
    places = index.lookup(["a", "b", "c", "?"]).tolist()
    assert [index.months[index.month_codes[place]] for place in places[:3]] == ["2026-11", None, "2026-09"]
    assert places[3] == -1
    assert not is_settled(index, "?")


@pytest.mark.parametrize(
    ("times", "settled"),
    [
        ({"completed_at": NOW - HOUR}, True),
        ({"completed_at": NOW - HOUR + timedelta(microseconds=1)}, False),
        ({"completed_at": NOW - 2 * HOUR, "last_seen": NOW - MINUTE}, False),
        ({"completed_at": None}, True),
        ({"created_at": NOW}, False),
        ({"created_at": None}, False),
        ({"status": "in_progress"}, False),
        ({"status": "suspended"}, False),
        ({"status": "unheard of"}, False),
        ({"status": None}, False),
        ({"status": "error"}, True),
        ({"status": "canceled"}, True),
    ],
    ids=str,
)
def test_settled_is_final_and_fetched_long_enough_after_the_latest_time(times: dict[str, Any], settled: bool) -> None:  # noqa: FBT001
    assert is_settled(index_of(Job(id="a", **times)), "a") is settled


def test_no_job_is_known_of_an_empty_dataset() -> None:
    assert index_of().lookup(["a"]).tolist() == [-1]


def test_a_time_far_in_the_future_never_settles() -> None:
    far = Job(id="a", completed_at=at(1).replace(year=9999))
    assert not is_settled(index_of(far), "a")
    assert not is_settled(index_of(far, settle=timedelta.max), "a")


def test_a_wrong_number_of_rows_is_told() -> None:
    rows = tables_of([Job(id="a"), Job(id="b")])["sync_jobs"].select(INDEX_COLUMNS)
    for size in (1, 3):
        with pytest.raises(OutputError, match=f"do not hold the {size} rows"):
            build_index([rows], size, HOUR)


def test_a_job_found_unchanged_later_settles_though_its_row_stays(storage: TracedStorage) -> None:
    fresh = Job(id="a", completed_at=NOW - 5 * MINUTE)
    other = Job(id="b", completed_at=NOW - 5 * MINUTE)
    Run(storage).publish([fresh, other])
    with Run(storage, now=NOW + MINUTE).open() as writer:
        assert writer.published.settled_of(["a", "b"]).tolist() == [False, False]
    Run(storage, now=NOW + 2 * HOUR).publish([replace(fresh, fetched_at=NOW + 2 * HOUR)])
    with Run(storage, now=NOW + 3 * HOUR).open() as writer:
        assert writer.published.settled_of(["a", "b"]).tolist() == [True, False]


def test_a_recheck_too_soon_settles_nothing(storage: TracedStorage) -> None:
    fresh = Job(id="a", completed_at=NOW - 5 * MINUTE)
    Run(storage).publish([fresh])
    Run(storage, now=NOW + 54 * MINUTE).publish([replace(fresh, fetched_at=NOW + 54 * MINUTE)])
    with Run(storage, now=NOW + 3 * HOUR).open() as writer:
        assert not is_settled(writer.published, "a")


def test_rechecks_of_demo_data_do_not_settle_real_jobs(storage: TracedStorage) -> None:
    fresh = Job(id="a", completed_at=NOW - 5 * MINUTE)
    sandbox = provenance_of(source="sandbox")
    Run(storage, provenance=sandbox).publish([fresh])
    Run(storage, now=NOW + 2 * HOUR, provenance=sandbox).publish([replace(fresh, fetched_at=NOW + 2 * HOUR)])
    Run(storage, now=NOW + 3 * HOUR).publish([fresh])
    with Run(storage, now=NOW + 4 * HOUR).open() as writer:
        assert not is_settled(writer.published, "a")


def test_a_missing_job_that_was_not_final_is_asked_for_again(storage: TracedStorage) -> None:
    running, ended = Job(id="a", status="in_progress"), Job(id="b")
    Run(storage).publish([running, ended])
    Run(storage, now=NOW + HOUR).publish([], not_found={"a": NOW + HOUR, "b": NOW + HOUR})
    with Run(storage, now=NOW + 2 * HOUR).open() as writer:
        assert writer.published.settled_of(["a", "b"]).tolist() == [False, True]


def test_an_index_takes_at_most_64_bytes_a_job() -> None:
    index = index_of(*(Job(id=f"{n}") for n in range(100)))
    arrays = (index.keys.high, index.keys.low, index.month_codes, index.settled)
    assert sum(array.nbytes for array in arrays) <= 64 * 100


def test_of_two_staged_versions_the_later_one_decides(storage: TracedStorage, root: Path) -> None:
    Run(storage).die_after_staging([Job(id="a")], [Job(id="a", status="in_progress", fetched_at=NOW + HOUR)])
    with Run(storage, now=NOW + 2 * HOUR).open() as writer:
        assert not is_settled(writer.adopted, "a")
        assert len(writer.adopted) == 1
    assert root.is_dir()
