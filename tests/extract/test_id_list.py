"""Many ids in little memory: a list like any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.extract.id_list import IdList
from etl.model import RequestedId

IDS = st.lists(st.builds(RequestedId, id=st.text(min_size=1), line=st.none() | st.integers(1, 10**12)))


@given(IDS, st.integers(-12, 12), st.integers(-12, 12))
def test_it_gives_back_what_went_in(ids: list[RequestedId], begin: int, end: int) -> None:
    kept = IdList(ids)

    assert list(kept) == ids
    assert kept == ids
    assert len(kept) == len(ids)
    assert kept[begin:end] == ids[begin:end]
    if -len(ids) <= begin < len(ids):
        assert kept[begin] == ids[begin]
    else:
        with pytest.raises(IndexError):
            kept[begin]


def test_an_id_takes_some_forty_bytes() -> None:
    kept = IdList(RequestedId(id=f"job-{number:016}", line=number + 1) for number in range(10_000))

    assert sum(part.__sizeof__() for part in (kept._bytes, kept._ends, kept._lines)) < 10_000 * 45
