"""Ids without an answer: like a dictionary that loses what is answered."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from etl.extract.id_list import IdList
from etl.model import Answer, AnswerKind, RequestedId
from etl.pipeline.left import Left

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = st.sampled_from([f"job-{number}" for number in range(12)])


def answer(name: str) -> Answer:
    return Answer(id=name, kind=AnswerKind.DOCUMENT, body=b"{}", fetched_at=NOW)


@given(st.lists(NAMES, unique=True), st.lists(st.lists(NAMES, unique=True)))
def test_each_id_is_answered_once_whatever_comes(names: list[str], groups: list[list[str]]) -> None:
    wanted = [RequestedId(id=name, line=line) for line, name in enumerate(names, start=1)]
    expected = {requested.id: requested for requested in wanted}
    left = Left(IdList(wanted))

    for group in groups:
        assert left.lacks(group) == [name not in expected for name in group]
        answers = [answer(name) for name in group]
        assert left.take(answers) == [(expected.pop(one.id), one) for one in answers if one.id in expected]
        assert len(left) == len(expected)
    assert left.rest() == list(expected.values())
