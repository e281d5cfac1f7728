"""The second walk: what is new or unsettled, and nothing else, whatever clocks and writers do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from etl.extract.filters import UNFINISHED, JobFilters
from etl.pipeline.times import time_of
from etl.sandbox.settings import FULL_KEY
from tests.walk.conftest import BEGIN, LISTED, READER, Dataset, at, doc, oldest_first, since

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tests.walk.conftest import Launch


def history(count: int = 300, **more: Any) -> dict[str, Any]:
    """Make a job each ten minutes."""
    return {f"job-{number:03}": doc(10 * number, connector=f"c{number % 6}", **more) for number in range(count)}


def mark_of(documents: Mapping[str, Any]) -> datetime:
    return max(time for job in documents.values() if (time := time_of(job.get("created_at"))) is not None)


def test_new_and_unsettled_jobs_come_and_no_others_in_few_pages(launch: Launch) -> None:
    documents = history()
    for number in (290, 295, 299):
        documents[f"job-{number}"]["status"] = "in_progress"
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents)
    documents["job-295"]["status"] = "completed"
    documents.update({f"new-{number}": doc(3000 + number, status="pending") for number in range(5)})
    met, report, _ = since(cluster, dataset, mark)
    assert met == {"job-290", "job-295", "job-299", *(f"new-{number}" for number in range(5))}
    assert report.requests == 2
    assert report.is_complete
    assert report.newest == time_of(at(3004))


def test_nothing_new_is_the_page_of_the_mark_and_one_that_is_older(launch: Launch) -> None:
    documents = history()
    met, report, _ = since(launch(documents), Dataset.of(documents), mark_of(documents))
    assert met == set()
    assert report.requests == 2
    assert report.newest == mark_of(documents)


def test_the_overlap_reaches_below_the_watermark(launch: Launch) -> None:
    documents = history()
    dataset = Dataset.of(documents)
    cluster = launch(documents)
    _, none, _ = since(cluster, dataset, mark_of(documents), timedelta(0))
    _, long, _ = since(cluster, dataset, mark_of(documents), timedelta(minutes=10 * 45))
    assert (none.requests, long.requests) == (2, 4)  # the page of the watermark itself is not older than it


def test_an_old_job_that_never_ends_is_left_to_the_caller(launch: Launch) -> None:
    documents = history()
    documents["job-005"]["status"] = "suspended"
    met, report, walk = since(launch(documents), Dataset.of(documents), mark_of(documents))
    assert met == set()
    assert not walk.has_met("job-005")
    assert report.requests == 2


@pytest.mark.parametrize(
    "late", [doc(1234.5), doc(None), doc(0, created_at="2026-10-01"), doc(-60 * 24 * 400, connector=None)],
    ids=["hours late", "without a time", "a date alone", "before all others"],
)  # fmt: skip
def test_a_job_that_comes_late_shows_in_the_count_and_is_found(launch: Launch, late: dict[str, Any]) -> None:
    documents = history()
    dataset, mark = Dataset.of(documents), mark_of(documents)
    documents["late"] = late
    met, report, _ = since(launch(documents), dataset, mark)
    assert met == {"late"}
    assert report.is_complete
    assert report.requests <= 17


def test_clocks_that_differ_by_hours_hide_nothing(launch: Launch) -> None:
    documents = history()
    documents["ahead"] = doc(created_at="2099-01-01T00:00:00Z")
    dataset, mark = Dataset.of(documents), mark_of(documents)
    assert mark.year == 2099
    cluster = launch(documents)
    documents["behind"] = doc(2990 - 300)
    documents["right"] = doc(3000)
    documents["further ahead"] = doc(created_at="2101-01-01T00:00:00Z")
    met, report, _ = since(cluster, dataset, mark)
    assert met == {"behind", "right", "further ahead"}
    assert report.is_complete


def test_jobs_of_one_moment_across_a_page_border_are_all_seen(launch: Launch) -> None:
    documents = history(100)
    documents |= {f"tied-{number:02}": doc(2000, connector="c1") for number in range(50)}
    dataset, mark = Dataset.of(documents), mark_of(documents)
    for number in range(50, 75):
        documents[f"tied-{number:02}"] = doc(2000, connector="c1")
    met, report, _ = since(launch(documents), dataset, mark, timedelta(0))
    assert met == {f"tied-{number:02}" for number in range(50, 75)}
    assert report.is_complete


def test_jobs_that_are_created_while_the_walk_pages_come_now_or_the_next_time(launch: Launch) -> None:
    documents = history()
    for number in range(250, 300):
        documents[f"job-{number}"]["status"] = "pending"
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents)

    def arrive(number: int, path: str, _params: Any) -> None:
        if path == LISTED:
            documents[f"new-{number}"] = doc(5000 + number)

    cluster.client.before = arrive
    met, report, _ = since(cluster, dataset, mark)
    cluster.client.before = lambda *_: None
    pages = report.requests
    assert pages <= 5  # the count of the first page is compared, so arrivals do not look like late jobs
    assert report.is_complete
    for job_id in met:
        dataset.rows[job_id] = ("completed", "full", "c1")
    again, _, _ = since(cluster, dataset, report.newest)
    assert {f"new-{number}" for number in range(1, pages + 1)} <= met | again


def test_a_dataset_that_holds_other_jobs_than_the_mark_says_is_completed(launch: Launch) -> None:
    """It was begun by a jobs file, or by a walk with another filter."""
    documents = history()
    dataset = Dataset.of({job_id: job for job_id, job in documents.items() if job_id.endswith("7")})
    met, report, _ = since(launch(documents), dataset, mark_of(documents))
    assert met == documents.keys() - dataset.rows.keys()
    assert report.is_complete


def test_filters_narrow_the_second_walk_and_its_counts(launch: Launch) -> None:
    documents = history()
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents)
    documents["new-1"], documents["new-2"] = doc(3100, connector="c1"), doc(3200, connector="c2")
    documents["late"] = doc(33, connector="c1", job_type="incremental")
    met, _, _ = since(cluster, dataset, mark, filters=JobFilters(connector_ids=("c1",)))
    assert met == {"new-1", "late"}
    met, report, _ = since(cluster, dataset, mark, filters=JobFilters(connector_ids=("c1", "c2"), job_types=("full",)))
    assert met == {"new-1", "new-2"}
    assert report.newest == time_of(at(3200))
    met, _, _ = since(cluster, dataset, mark, filters=JobFilters(job_types=("full", "incremental")))
    assert met == {"new-1", "new-2", "late"}
    met, _, _ = since(cluster, dataset, mark, filters=JobFilters(since=BEGIN, until=time_of(at(3150))))
    assert met == {"new-1", "late"}


def test_a_published_job_that_is_gone_costs_pages_and_no_job(launch: Launch) -> None:
    documents = history()
    dataset, mark = Dataset.of(documents), mark_of(documents)
    del documents["job-100"]
    met, report, walk = since(launch(documents), dataset, mark)
    assert met == set()
    assert report.requests == 16
    assert [job_id for job_id in dataset.rows if not walk.has_met(job_id)] == ["job-100"]


def test_a_list_that_is_oldest_first_is_walked_whole(launch: Launch) -> None:
    documents = history()
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents)
    oldest_first(cluster, 10_000)
    documents["new"] = doc(3000)
    met, report, _ = since(cluster, dataset, mark)
    assert met == {"new"}
    assert report.requests == 16
    assert report.newest is None


WINDOW: dict[str, Any] = {"reach": 100, "page_size": 20}


def test_with_the_index_few_pages_and_an_exact_count_are_enough(launch: Launch) -> None:
    documents = history()
    documents["job-290"]["status"] = "pending"
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents, window=100)
    documents["new"] = doc(3000)
    met, report, _ = since(cluster, dataset, mark, use_index=True, **WINDOW)
    assert met == {"new", "job-290"}
    assert report.requests == 4  # open, two pages, close
    assert report.is_complete
    assert report.newest == time_of(at(3000))
    assert cluster.sandbox.open_points_in_time == 0
    documents["late"] = doc(5)
    met, report, _ = since(cluster, dataset, mark, use_index=True, **WINDOW)
    assert met == {"new", "job-290", "late"}


def test_a_cluster_that_outgrew_the_list_is_read_in_the_index_from_then_on(launch: Launch) -> None:
    documents = history(95)
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents, window=100)
    documents.update({f"new-{number}": doc(1000 + number) for number in range(10)} | {"late": doc(5)})
    met, report, _ = since(cluster, dataset, mark, use_index=True, **WINDOW)
    assert met == documents.keys() - dataset.rows.keys()
    assert report.is_complete


@pytest.mark.parametrize(("key", "use_index"), [(FULL_KEY, False), (READER, True)], ids=["unasked", "refused"])
def test_without_the_index_each_part_that_the_list_counts_is_compared(
    launch: Launch,
    key: Any,
    use_index: bool,  # noqa: FBT001
) -> None:
    documents = history()
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents, window=100, key=key)
    documents["new"] = doc(3000, connector="c2")
    documents["late"] = doc(5, connector="c3")
    documents["late, without a type"] = doc(None, connector="c4", job_type=None)
    documents["late, without a connector"] = doc(7, connector=None, job_type="incremental")
    met, report, _ = since(cluster, dataset, mark, use_index=use_index, **WINDOW)
    assert met == documents.keys() - dataset.rows.keys()
    assert report.is_complete
    read = {str(part.part) for part in report.parts}
    assert read == {"all jobs", "job_type incremental", "connector_id c3", "connector_id c4"}


def test_more_new_jobs_than_the_list_reaches_are_a_whole_walk(launch: Launch) -> None:
    documents = history(50)
    dataset, mark = Dataset.of(documents), mark_of(documents)
    cluster = launch(documents, window=100)
    documents.update({f"new-{number:03}": doc(3000 + number, connector=f"c{number % 6}") for number in range(250)})
    met, report, _ = since(cluster, dataset, mark, **WINDOW)
    assert met == {f"new-{number:03}" for number in range(250)}
    assert not any(part.is_certain for part in report.incomplete)


def test_a_part_that_can_neither_be_counted_nor_split_is_named(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(250)}
    dataset, mark = Dataset.of(documents), mark_of(documents)
    _, report, _ = since(launch(documents, window=100), dataset, mark, overlap=timedelta(0), **WINDOW)
    assert any("status completed, job_type full, connector_id c1" in note for note in report.notes)


def test_a_stop_leaves_no_mark(launch: Launch) -> None:
    documents = history()
    cluster = launch(documents)
    cluster.stop.set()
    _, report, _ = since(cluster, Dataset.of(documents), mark_of(documents))
    assert report.stopped
    assert report.newest is None


def test_nine_thousand_jobs_with_fifty_new_and_twenty_changed_are_few_requests(launch: Launch) -> None:
    cluster = launch(jobs=9_500)
    dataset = Dataset()
    for entry in cluster.sandbox._cluster.jobs.view().newest_first:
        dataset.rows[entry.id] = (entry.status, entry.job_type, entry.connector_id)
        if entry.status in UNFINISHED:
            dataset.unsettled.add(entry.id)
    mark = cluster.sandbox._cluster.jobs.view().newest_first[0].created_ms
    new, changed = cluster.sandbox.add_jobs(50), cluster.sandbox.advance(20)
    met, report, walk = since(cluster, dataset, time_of(mark), page_size=1000)
    unmet = {job_id for job_id in dataset.unsettled if not walk.has_met(job_id)}
    assert met == set(new) | dataset.unsettled - unmet
    assert set(changed) <= met | unmet
    assert report.requests + len(unmet) <= 30
    assert report.is_complete
