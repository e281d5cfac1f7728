"""Every notation of a time, and nothing that is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.transform.timestamps import microseconds
from etl.transform.unfit import UnfitError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


BASE = datetime(2023, 12, 1, 14, 18, 43, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2023-12-01T14:18:43Z", BASE),
        ("2023-12-01T14:18:43+00:00", BASE),
        ("2023-12-01T14:18:43+0000", BASE),
        ("2023-12-01T14:18:43", BASE),
        ("2023-12-01 14:18:43", BASE),
        ("2023-12-01t14:18:43z", BASE),
        ("2023-12-01T16:18:43+02:00", BASE),
        ("2023-12-01T12:18:43-02", BASE),
        ("2023-12-01T19:48:43+0530", BASE),
        ("2023-12-01T14:18Z", BASE.replace(second=0)),
        ("2023-12-01", BASE.replace(hour=0, minute=0, second=0)),
        ("2023-12-01T14:18:43.0Z", BASE),
        ("2023-12-01T14:18:43.07693Z", BASE.replace(microsecond=76930)),
        ("2023-12-01T14:18:43.123456Z", BASE.replace(microsecond=123456)),
        ("2023-12-01T14:18:43.123456999Z", BASE.replace(microsecond=123456)),
        ("2023-12-01T14:18:43,5Z", BASE.replace(microsecond=500000)),
        (1701440323000, BASE),
        ("1701440323000", BASE),
        (1701440323000.0, BASE),
        (0, EPOCH),
        (-1, EPOCH - timedelta(milliseconds=1)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("1969-12-31T23:59:59.9999999Z", EPOCH - timedelta(microseconds=1)),
    ],
)
def test_a_time_is_read(value: object, expected: datetime) -> None:
    assert microseconds(value) == us(expected)


@pytest.mark.parametrize(
    "value",
    [
        "", "now", "2023-13-01T00:00:00Z", "2023-02-30", "2023-12-01T24:00:00Z", "2023-12-01T23:59:60Z",
        "2023-12-01T14:18:43.1234567890Z", "2023-12-01T14:18:43+25:00", "01.12.2023", "0000-01-01", True, 1.5, None,
        [], {}, 10**15, "0001-01-01T00:00:00+01:00", "9" * 40, "²023-12-01", "٢٠٢٣-12-01",
    ],
)  # fmt: skip
def test_what_is_no_time_is_unfit(value: object) -> None:
    with pytest.raises(UnfitError):
        microseconds(value)


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - a zone is added below
    st.integers(min_value=-23 * 60, max_value=23 * 60),
    st.text("0123456789", max_size=3),
    st.sampled_from("T "),
)
def test_reading_is_exact_for_every_offset_and_cuts_what_lies_past_the_microsecond(
    naive: datetime, offset_minutes: int, tail: str, separator: str
) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = moment.isoformat(sep=separator, timespec="microseconds")

    assert microseconds(text[:26] + tail + text[26:]) == us(moment)
