"""Filters as people give them, and what they admit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.errors import UsageError
from etl.extract.filters import JobFilters, read_filters, read_time
from etl.pipeline.times import time_of
from tests.walk.conftest import admits, doc

NOW = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("2026-11-24T03:50:00.5Z", "2026-11-24T03:50:00.500000+00:00"),
        (" 2026-11-24 03:50 ", "2026-11-24T03:50:00+00:00"),
        ("2026-11-24T03:50:00+02:00", "2026-11-24T01:50:00+00:00"),
        ("7d", "2026-11-17T03:50:00+00:00"),
        ("90m", "2026-11-24T02:20:00+00:00"),
        ("1.5h", "2026-11-24T02:20:00+00:00"),
    ],
)
def test_times_are_dates_times_and_how_long_ago(text: str, expected: str) -> None:
    assert read_time(text, NOW).isoformat() == expected
    assert read_time(text, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "yesterday", "7", "20261124", "7 days", "-7d", "2026-13-01", "1.2.3d", "9" * 30 + "d"]
)
def test_what_is_no_time_is_a_usage_error_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"write it like 2026-11-24"):
        read_time(text, NOW)


def test_names_are_known_in_any_case_and_count_once() -> None:
    filters = read_filters(job_types=["Full", "full"], statuses=["ERROR"], connector_ids=["a", "a", "B"], now=NOW)
    assert filters == JobFilters(job_types=("full",), statuses=("error",), connector_ids=("a", "B"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"statuses": ["failed"]}, "'failed' is no status: there are pending, in_progress, canceling"),
        ({"job_types": ["delta"]}, "'delta' is no job type: there are full, incremental, access_control"),
        ({"connector_ids": [" "]}, "connector id is empty"),
        ({"job_types": [""]}, "job type is empty"),
        ({"statuses": [""]}, "status is empty"),
        ({"since": "2026-11-02", "until": "2026-11-02"}, "no job can match"),
    ],
)
def test_what_cannot_match_is_a_usage_error_that_names_what_can(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_filters(now=NOW, **given)


def test_times_are_half_open_and_need_a_time() -> None:
    filters = JobFilters(since=time_of("2026-10-01T00:01:00Z"), until=time_of("2026-10-01T00:02:00Z"))
    matching = [minutes for minutes in (0.999, 1, 1.999, 2) if admits(filters, doc(minutes))]
    assert matching == [1, 1.999]
    assert not admits(filters, doc(None))
    assert not admits(filters, doc(created_at="soon"))
    assert admits(JobFilters(), doc(None))


def test_a_document_without_what_is_asked_for_is_not_wanted() -> None:
    assert admits(JobFilters(connector_ids=("c1",)), doc())
    assert not admits(JobFilters(connector_ids=("c1",)), doc(connector=None))
    assert not admits(JobFilters(job_types=("full",)), doc(job_type=None))


def test_equal_filters_have_one_key_whatever_their_order_and_others_another() -> None:
    one = JobFilters(connector_ids=("b", "a"), statuses=("error", "canceled"), since=NOW)
    same = JobFilters(connector_ids=("a", "b"), statuses=("canceled", "error"), since=NOW)
    assert one.key() == same.key()
    others = [JobFilters(), JobFilters(since=NOW), JobFilters(until=NOW), JobFilters(job_types=("full",))]
    assert len({filters.key() for filters in [one, *others]}) == 5
