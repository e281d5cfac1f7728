"""Sixty thousand jobs over forty connectors: all of them with the index, all that the list reaches without it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from etl.extract.filters import UNFINISHED
from etl.extract.mget import ManyGetter
from etl.extract.walk.parts import Part
from etl.model import AnswerKind
from etl.pipeline.times import time_of
from etl.sandbox import stamps
from etl.sandbox.identity import id_of
from etl.sandbox.outline import Writer, outline_of
from etl.sandbox.population import large_population
from tests.walk.conftest import LIST, Dataset, since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.sandbox.catalogue import Entry
    from tests.walk.conftest import Cluster, Launch

REACH = 10_000
PAGE = 1_000

pytestmark = pytest.mark.slow


def slim(seed: int, number: int, **more: Any) -> dict[str, Any]:
    """Make of a generated job what a walk goes by: these tests are about numbers, not about documents."""
    outline = outline_of(seed, number, **more)
    job: dict[str, Any] = {"id": id_of(number), "status": outline.status}
    if outline.writer is Writer.FLAT:
        job["connector_id"] = outline.connector.id
    else:
        job["connector"] = {"id": outline.connector.id}
    if outline.job_type is not None:
        job["job_type"] = outline.job_type
    if outline.is_dated:
        job["created_at"] = stamps.java(outline.created)
    return job


@pytest.fixture(scope="module")
def large(launch_once: Launch) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.sandbox.generated.generate_job", slim)
        yield launch_once(jobs=60_000, population=large_population())


def entries(cluster: Cluster) -> list[Entry]:
    return list(cluster.sandbox._cluster.jobs.view().newest_first)


def test_all_are_read_once_with_the_index(large: Cluster) -> None:
    walk = large.walk(use_index=True)
    ids: Counter[str] = Counter()
    for group in walk.answers():
        ids.update(answer.id for answer in group if answer.kind is AnswerKind.DOCUMENT)
        assert len(group) <= PAGE
    report = walk.report()
    assert ids == Counter(id_of(number) for number in range(60_000))
    assert report.is_complete
    assert report.least == 60
    assert report.requests <= 64  # the first page of the list, and a point in time to open and to close
    assert large.sandbox.open_points_in_time == 0
    assert walk._course.seen._table.__sizeof__() < 64 * 60_000


def test_without_the_index_all_is_read_that_the_list_reaches_and_the_rest_is_named(large: Cluster) -> None:
    before = Counter(large.sandbox.requests_by_route)
    walk = large.walk()
    ids: Counter[str] = Counter()
    for group in walk.answers():
        ids.update(answer.id for answer in group)
    report = walk.report()
    everything = entries(large)
    assert set(ids.values()) == {1}
    assert ids.keys() == in_reach(everything)
    assert not report.is_complete
    assert report.newest is None

    big = large_population().connectors[0].id
    beyond = Part(status="completed", job_type="full", connector_id=big)
    (certain,) = [part for part in report.incomplete if part.is_certain]
    assert (certain.part, certain.count) == (beyond, REACH)
    assert certain.reached is not None
    assert certain.reached in str(certain)
    missing = [entry for entry in everything if entry.id not in ids]
    doubtful = {part.part for part in report.incomplete}
    assert all(
        any(part.status in {None, entry.status} and part.job_type in {None, entry.job_type}
            and part.connector_id in {None, entry.connector_id} for part in doubtful)
        for entry in missing
    )  # fmt: skip

    assert report.requests == sum((Counter(large.sandbox.requests_by_route) - before).values())
    assert report.requests <= 1.5 * report.least
    assert report.requests <= 1.5 * fewest(everything)


def in_reach(everything: list[Entry]) -> set[str]:
    """Return which jobs stand within reach under the narrowest filters that find them."""
    places: Counter[tuple[str | None, str | None, str | None]] = Counter()
    known = {"full", "incremental", "access_control"}
    found = set()
    for entry in everything:
        job_type = entry.job_type if entry.job_type in known else None
        # A job without a type, or a connector, stands in the wider list, which those that have them fill too.
        for kind in {(entry.status, t, c) for t in (job_type, None) for c in (entry.connector_id, None)}:
            places[kind] += 1
        if places[entry.status, job_type, entry.connector_id] <= REACH:
            found.add(entry.id)
    return found


def fewest(everything: list[Entry]) -> int:
    """Return the pages of the parts that splitting by status, job type and connector ends with."""
    pages = 0
    for status, of_status in grouped(everything, "status").items():
        if len(of_status) < REACH:
            pages += -(-len(of_status) // PAGE)
            continue
        assert status == "completed"
        for job_type, of_type in grouped(of_status, "job_type").items():
            if job_type not in {"full", "incremental", "access_control"}:
                continue
            if len(of_type) < REACH:
                pages += -(-len(of_type) // PAGE)
                continue
            for of_connector in grouped(of_type, "connector_id").values():
                pages += -(-min(len(of_connector), REACH) // PAGE)
    return pages


def grouped(everything: list[Entry], name: str) -> dict[str | None, list[Entry]]:
    groups: dict[str | None, list[Entry]] = {}
    for entry in everything:
        groups.setdefault(getattr(entry, name), []).append(entry)
    return groups


def test_the_population_is_the_one_that_is_meant(large: Cluster) -> None:
    everything = entries(large)
    assert len(everything) == 60_000
    assert len(in_reach(everything)) < 52_000
    assert sum(entry.job_type is None for entry in everything) == 500
    assert large.sandbox.requests_by_route[LIST] > 0


def test_the_second_walk_with_fifty_new_and_twenty_changed_jobs_is_few_requests(large: Cluster) -> None:
    dataset = Dataset()
    for entry in entries(large):
        dataset.rows[entry.id] = (entry.status, entry.job_type, entry.connector_id)
        if entry.status in UNFINISHED:
            dataset.unsettled.add(entry.id)
    mark = time_of(entries(large)[0].created_ms)
    new, changed = large.sandbox.add_jobs(50), large.sandbox.advance(20)
    met, report, walk = since(large, dataset, mark, page_size=PAGE, use_index=True)
    unmet = [job_id for job_id in dataset.unsettled if not walk.has_met(job_id)]
    getter = ManyGetter(large.asking())
    got = {answer.id for group in getter.get(unmet) for answer in group}
    assert met | got == set(new) | dataset.unsettled
    assert set(changed) <= met | got
    assert report.is_complete
    assert len(large.client.asked) <= 30
    begin = time_of(entries(large)[0].created_ms)
    assert report.newest is not None
    assert begin is not None
    assert timedelta(0) <= report.newest - begin < timedelta(milliseconds=1)
