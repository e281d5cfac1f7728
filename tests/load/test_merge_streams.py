from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import OutputError
from etl.load.compare import differing_jobs, same_values
from etl.load.keys import Keys
from etl.load.merge import ORDER_SCHEMA, JobOrder, RankWindows, merge_rows
from etl.schema.arrow import arrow_schema
from tests.load.conftest import Job, at, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl.load.merge import Source


@st.composite
def jobs_of_sources(draw: st.DrawFn) -> list[list[Job]]:
    """Sources with jobs of one month, and rows that they have of jobs of others."""
    ids = draw(st.lists(st.text("ab\x00é\U0001f600", min_size=1, max_size=4), unique=True, max_size=12))
    sources: list[list[Job]] = [[] for _ in range(draw(st.integers(1, 4)))]
    for job_id in ids:
        job = Job(id=job_id, created_at=at(draw(st.integers(1, 3))), rules=draw(st.integers(0, 5)))
        sources[draw(st.integers(0, len(sources) - 1))].append(job)
    return sources


def place(job: Job) -> tuple[object, bytes]:
    return job.created_at, job.id.encode()


def source_of(jobs: Sequence[Job], chunk_rows: int) -> Source:
    tables = tables_of(sorted(jobs, key=place))

    def read(name: str, rows: int) -> Iterator[pa.Table]:
        assert rows > 0
        for first in range(0, tables[name].num_rows, chunk_rows):
            yield tables[name].slice(first, chunk_rows)

    return read


def order_of(sources: Sequence[Sequence[Job]]) -> JobOrder:
    rows = [
        {"job_id": job.id, "created_at": job.created_at, "source": number}
        for number, jobs in enumerate(sources)
        for job in jobs
    ]
    return JobOrder.of([pa.Table.from_pylist(rows, schema=ORDER_SCHEMA)])


@given(jobs_of_sources(), st.integers(1, 4), st.booleans())
def test_merged_streams_equal_one_plain_sort(sources: list[list[Job]], chunk_rows: int, strangers: bool) -> None:  # noqa: FBT001
    stale = [Job(id="stale", rules=2)] if strangers else []
    read = [source_of([*jobs, *stale], chunk_rows) for jobs in sources]
    naive = tables_of(sorted((job for jobs in sources for job in jobs), key=place))
    order = order_of(sources)
    for name in ("sync_jobs", "filtering_rules"):
        merged = list(merge_rows(name, read, order))
        assert pa.concat_tables([arrow_schema(name).empty_table(), *(rows for rows, _ in merged)]).equals(naive[name])
        for rows, ranks in merged:
            assert order.job_ids.take(pa.array(ranks)).equals(rows["job_id"].combine_chunks())


@given(jobs_of_sources(), st.integers(1, 4), st.integers(1, 5))
def test_windows_cut_only_where_a_job_ends(sources: list[list[Job]], chunk_rows: int, size: int) -> None:
    order = order_of(sources)
    stream = merge_rows("filtering_rules", [source_of(jobs, chunk_rows) for jobs in sources], order)
    windows = RankWindows("filtering_rules", stream)
    seen = 0
    for last in range(size - 1, len(order) + size, size):
        rows, ranks = windows.take_through(last)
        assert all(last - size < rank <= last for rank in ranks)
        seen += rows.num_rows
    assert seen == sum(job.rules for jobs in sources for job in jobs)


@given(jobs_of_sources(), st.integers(1, 4), st.integers(1, 5), st.data())
def test_exactly_the_jobs_with_other_rows_differ(
    sources: list[list[Job]], chunk_rows: int, window: int, data: st.DataObject
) -> None:
    order = order_of(sources)
    before = [job for jobs in sources for job in jobs]
    changed = {job.id for job in before if data.draw(st.booleans())}
    then = [
        Job(id=job.id, created_at=job.created_at, rules=job.rules + 1, fetched_at=job.fetched_at)
        if job.id in changed
        else Job(id=job.id, created_at=job.created_at, rules=job.rules, fetched_at=job.fetched_at + timedelta(days=1))
        for job in before
    ]
    after = [[job for job in then if job.id in {own.id for own in jobs}] for jobs in sources]
    read = [source_of(jobs, chunk_rows) for jobs in after]
    differs = differing_jobs(source_of(before, chunk_rows), read, order, window)
    assert {order.job_ids[rank].as_py() for rank in np.flatnonzero(differs)} == changed


VALUES = {
    pa.string(): st.none() | st.text("ab", max_size=2),
    pa.int64(): st.none() | st.integers(2**53, 2**53 + 2),
    pa.bool_(): st.none() | st.booleans(),
    pa.list_(pa.string()): st.none() | st.lists(st.none() | st.text("ab", max_size=1), max_size=2),
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(st.data())
def test_values_are_the_same_as_python_says(kind: pa.DataType, data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(VALUES[kind], VALUES[kind])))
    old, new = pa.array([old for old, _ in pairs], kind), pa.array([new for _, new in pairs], kind)
    assert same_values(old, new).tolist() == [old == new for old, new in pairs]


def test_sliced_lists_are_compared_by_their_own_values() -> None:
    old = pa.array([["x"], ["a"], None, ["b", "c"]], pa.list_(pa.string())).slice(1)
    new = pa.array([["a"], None, ["b", "d"]], pa.list_(pa.string()))
    assert same_values(old, new).tolist() == [True, True, False]


def test_a_list_that_grew_does_not_shift_the_rows_after_it() -> None:
    old = pa.array([["x", "y"], ["a"], ["b"]], pa.list_(pa.string()))
    new = pa.array([["x"], ["a"], ["c"]], pa.list_(pa.string()))
    assert same_values(old, new).tolist() == [False, True, False]


def test_rows_out_of_order_stop_the_merge_instead_of_being_lost() -> None:
    jobs = [Job(id="a", created_at=at(1)), Job(id="b", created_at=at(2))]
    backwards = tables_of(reversed(jobs))
    with pytest.raises(OutputError, match="sync_jobs: rows are not in the order of the dataset"):
        list(merge_rows("sync_jobs", [lambda name, _: iter([backwards[name]])], order_of([jobs])))


@given(st.lists(st.text(max_size=3), unique=True), st.lists(st.text(max_size=3)))
def test_keys_are_found_at_their_sorted_place(known: list[str], wanted: list[str]) -> None:
    keys = Keys.of(known)
    order = np.lexsort((keys.low, keys.high))
    found = Keys(high=keys.high[order], low=keys.low[order]).find(Keys.of(wanted))
    names = [known[place] for place in order]
    assert [names[place] if place >= 0 else None for place in found] == [
        text if text in known else None for text in wanted
    ]


def test_keys_that_share_their_first_half_are_told_apart() -> None:
    keys = Keys(high=np.array([1, 5, 5, 5], np.uint64), low=np.array([0, 1, 3, 9], np.uint64))
    wanted = Keys(high=np.array([5, 5, 5, 9, 1], np.uint64), low=np.array([9, 3, 2, 9, 0], np.uint64))
    assert keys.find(wanted).tolist() == [3, 2, -1, -1, 0]
    assert keys.last_of_each().tolist() == [True, True, True, True]
