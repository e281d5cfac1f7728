"""The parts that look at many rows, where chunks end and files end, against the plain way."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl.check.jobs import Filterings, MonthJobs
from etl.check.order import Order, joined, repeated
from etl.load.keys import Keys

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "ab", "é", "\U0001f600", "\uffff"])), max_size=12
)
IDS = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(rows=ROWS, cut=st.integers(0, 12))
def test_order_is_told_across_chunks_as_in_one_list(rows: list[tuple[int, str]], cut: int) -> None:
    order = Order()
    before: list[bool] = []
    alike: list[bool] = []
    for part in (rows[:cut], rows[cut:]):
        numbers, texts = pa.array([row[0] for row in part], pa.int64()), pa.array([row[1] for row in part], pa.string())
        found = order.follow([numbers, texts])
        before += found[0].tolist()
        alike += found[1].tolist()

    keys = [(number, text.encode()) for number, text in rows]
    pairs = list(pairwise(keys))
    assert before == [False] * bool(rows) + [latter < former for former, latter in pairs]
    assert alike == [False] * bool(rows) + [latter == former for former, latter in pairs]
    assert order.broken == (keys != sorted(keys))


@given(ids=IDS, cut=st.integers(0, 12))
def test_repeated_keys_are_found_wherever_they_stand(ids: list[str], cut: int) -> None:
    found = repeated(joined([Keys.of(ids[:cut]), Keys.of(ids[cut:])]))

    assert found.tolist() == [place for place, one in enumerate(ids) if one in ids[:place]]


@given(ids=IDS, asked=IDS)
def test_rows_find_the_job_that_they_belong_to(ids: list[str], asked: list[str]) -> None:
    jobs = MonthJobs.of(Keys.of(ids))

    places = jobs.places_of(pa.array(asked, pa.string()))

    assert len(jobs) == len(set(ids))
    assert [place >= 0 for place in places] == [one in ids for one in asked]
    assert [ids[rank] for rank in jobs.ranks_of(places[places >= 0])] == [one for one in asked if one in ids]


def test_a_filtering_is_known_by_job_and_position() -> None:
    jobs, filterings = MonthJobs.of(Keys.of("ab")), Filterings()
    assert not filterings.have(jobs.places_of(pa.array(["a"])), pa.array([0])).any()
    filterings = Filterings()
    filterings.add(jobs.places_of(pa.array(["a", "b"])), pa.array([0, 1]))
    filterings.add(jobs.places_of(pa.array(["a"])), pa.array([None], pa.int64()))

    there = filterings.have(jobs.places_of(pa.array(["a", "a", "b", "b", "a"])), pa.array([0, 1, 0, 1, None]))

    assert there.tolist() == [True, False, False, True, True]
