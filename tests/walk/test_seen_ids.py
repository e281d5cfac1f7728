"""The set of ids that a walk has met."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl.extract.walk.seen import SeenIds


@given(st.lists(st.text()))
def test_it_is_a_set(ids: list[str]) -> None:
    seen, plain = SeenIds(), set[str]()
    for job_id in ids:
        assert (job_id in seen) == (job_id in plain)
        assert seen.add(job_id) == (job_id not in plain)
        plain.add(job_id)
    assert len(seen) == len(plain)


def test_it_grows_and_keeps_what_it_has_in_few_bytes() -> None:
    seen = SeenIds()
    for number in range(20_000):
        assert seen.add(f"job-{number}")
    assert all(f"job-{number}" in seen for number in range(20_000))
    assert not any(f"other-{number}" in seen for number in range(20_000))
    assert len(seen._table) <= 64 * 20_000
