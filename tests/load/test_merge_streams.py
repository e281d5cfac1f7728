from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import OutputError
from etl.load.compare import differing_jobs, same_values
from etl.load.keys import Keys
from etl.load.merge import ALL_TABLES, Mark, Source, bounds_of, small_stretches, windows
from etl.load.storage import Storage
from etl.load.stretch import UNDATED, Stretch, one_batch
from etl.load.stretch_files import read_stretches, write_stretches
from etl.schema.arrow import arrow_schema
from tests.load.conftest import Job, at, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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


def stretches_of(jobs: Sequence[Job], size: int) -> list[Stretch]:
    ordered = sorted(jobs, key=place)
    groups = [tables_of(ordered[first : first + size]) for first in range(0, len(ordered), size)]
    return [Stretch.of({name: one_batch(rows) for name, rows in tables.items()}) for tables in groups]


def source_of(jobs: Sequence[Job], size: int) -> Source | None:
    """A source that reads so many jobs at once."""
    stretches = stretches_of(jobs, size)

    def read(names: Sequence[str]) -> Iterator[Stretch]:
        assert "sync_jobs" in names
        return iter(stretches)

    if not stretches:
        return None
    marks = tuple(
        Mark(first=part.place(0), last=part.place(len(part) - 1), bytes=int(part.job_bytes().sum()))
        for part in stretches
    )
    return Source(marks=marks, read=read)


def sources_of(sources: Sequence[Sequence[Job]], size: int) -> list[Source]:
    return [source for jobs in sources if (source := source_of(jobs, size)) is not None]


@settings(max_examples=30)
@given(jobs_of_sources(), st.integers(1, 4), st.sampled_from([1, 2_000, 1 << 20]))
def test_merged_streams_equal_one_plain_sort(sources: list[list[Job]], size: int, window_bytes: int) -> None:
    read = sources_of(sources, size)
    naive = tables_of(sorted((job for jobs in sources for job in jobs), key=place))
    merged = list(windows(read, bounds_of(read, window_bytes)))
    for name in ("sync_jobs", "filtering_rules"):
        rows = [part.tables[name] for part in merged]
        assert pa.concat_tables([arrow_schema(name).empty_table(), *rows]).equals(naive[name])
    for part in merged:
        assert part.parts["filtering_rules"].counts.sum() == part.tables["filtering_rules"].num_rows
        assert part.job_ids.equals(part.tables["sync_jobs"]["job_id"].combine_chunks())


@settings(max_examples=30)
@given(jobs_of_sources(), st.integers(1, 4))
def test_a_window_is_no_more_than_its_bytes_and_a_stretch_of_each_source(sources: list[list[Job]], size: int) -> None:
    read = sources_of(sources, size)
    largest = max((mark.bytes for source in read for mark in source.marks), default=0)
    for window in windows(read, bounds_of(read, 1_000)):
        assert window.job_bytes().sum() <= 1_000 + (len(read) + 1) * largest


@settings(max_examples=30)
@given(jobs_of_sources(), st.integers(1, 4), st.data())
def test_exactly_the_jobs_with_other_rows_differ(sources: list[list[Job]], size: int, data: st.DataObject) -> None:
    before = [job for jobs in sources for job in jobs]
    changed = {job.id for job in before if data.draw(st.booleans())}
    then = [
        replace(job, rules=job.rules + 1)
        if job.id in changed
        else replace(job, fetched_at=job.fetched_at + timedelta(days=1))
        for job in before
    ]
    after = [[job for job in then if job.id in {own.id for own in jobs}] for jobs in sources]
    found = set()
    if (old := source_of(before, size)) is not None:
        for ids, differs in differing_jobs(old, sources_of(after, size)):
            found |= set(ids.filter(pa.array(differs)).to_pylist())
    assert found == changed


@given(jobs_of_sources(), st.integers(0, 12))
def test_a_stretch_is_cut_after_the_jobs_up_to_a_place(sources: list[list[Job]], number: int) -> None:
    jobs = sorted((job for jobs in sources for job in jobs), key=place)
    for stretch in stretches_of(jobs, 20):
        at_job = min(number, len(jobs) - 1)
        assert stretch.count_through(stretch.place(at_job)) == at_job + 1
        assert stretch.count_through((stretch.place(at_job)[0], "")) <= at_job
        assert stretch.count_through((UNDATED, "")) == len(jobs)


@settings(max_examples=30)
@given(jobs_of_sources(), st.data())
def test_what_is_on_disk_for_a_while_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, sources: list[list[Job]], data: st.DataObject
) -> None:
    storage = Storage(tmp_path_factory.mktemp("stretches"))
    jobs = [job for jobs in sources for job in jobs]
    wanted = np.array([data.draw(st.booleans()) for _ in jobs], dtype=np.bool_)
    stretches = [part for whole in stretches_of(jobs, 20) for part in small_stretches(whole)]
    written = write_stretches(storage, storage.layout.root, stretches)
    read = list(read_stretches(storage.layout.root, written.stretches, ALL_TABLES, wanted))
    kept = [job for job, is_wanted in zip(sorted(jobs, key=place), wanted, strict=True) if is_wanted]
    for name, rows in tables_of(kept).items():
        parts = [part.tables[name] for part in read]
        assert pa.concat_tables([arrow_schema(name).empty_table(), *parts]).equals(rows)


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


@pytest.mark.parametrize("name", ["sync_jobs", "filtering_rules"])
def test_rows_out_of_order_stop_the_merge_instead_of_being_lost(name: str) -> None:
    jobs = [Job(id="a", created_at=at(1), rules=1), Job(id="b", created_at=at(2), rules=1)]
    tables = tables_of(jobs) | {name: tables_of(reversed(jobs))[name]}
    with pytest.raises(OutputError, match=f"{name}: rows are not in the order of the dataset"):
        Stretch.of({name: one_batch(rows) for name, rows in tables.items()})


def test_stretches_out_of_order_stop_the_merge_instead_of_being_lost() -> None:
    first, last = stretches_of([Job(id="a", created_at=at(1)), Job(id="b", created_at=at(1))], 1)
    marks = (Mark(first=first.place(0), last=last.place(0), bytes=1),)
    source = Source(marks=marks, read=lambda _: iter([last, first]))
    with pytest.raises(OutputError, match="sync_jobs: rows are not in the order of the dataset"):
        list(windows([source], bounds_of([source])))


def test_rows_of_another_job_stop_the_merge() -> None:
    tables = tables_of([Job(id="a")]) | {"filtering_rules": tables_of([Job(id="b", rules=1)])["filtering_rules"]}
    with pytest.raises(OutputError, match="filtering_rules: rows are not in the order of the dataset"):
        Stretch.of({name: one_batch(rows) for name, rows in tables.items()})


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


@given(st.lists(st.text(max_size=9)))
def test_an_id_has_one_key_in_whatever_form_and_company_it_comes(ids: list[str]) -> None:
    together = Keys.of(ids)
    for other in (
        Keys.of(pa.array(ids, pa.string())),
        Keys.of(pa.chunked_array([pa.array(["", *ids, "x"], pa.string()).slice(1, len(ids))])),
    ):
        assert (together.high.tolist(), together.low.tolist()) == (other.high.tolist(), other.low.tolist())
    alone = [Keys.of([job_id]) for job_id in ids]
    assert [int(key.high[0]) for key in alone] == together.high.tolist()
    assert len(set(zip(together.high.tolist(), together.low.tolist(), strict=True))) == len(set(ids))


def test_ids_that_differ_in_zeros_at_their_end_have_keys_of_their_own() -> None:
    ids = ["", "\0", "\0\0", "\0" * 4, "\0" * 5, "a", "a\0", "a" + "\0" * 3, "a" + "\0" * 4, "a" * 600]
    keys = Keys.of(ids)
    assert len(set(keys.high.tolist())) == len(set(keys.low.tolist())) == len(ids)


def test_an_id_that_no_text_can_hold_has_a_key() -> None:
    assert len(Keys.of(["\udc80", "a"])) == 2
