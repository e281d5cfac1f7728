"""How values are written on the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from etl.extract.filters import JobFilters

_NONE = "\N{EN DASH}"
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_PLAIN_FIGURES = {"empty", "volume"}  # the others are seconds


def number(value: float) -> str:
    """Write a count.

    >>> number(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """Write a share.

    >>> percent(0.934)
    '93.4%'
    """
    return _NONE if share is None else f"{share:.1%}"


def span(seconds: float) -> str:
    """Write seconds as a person says them.

    >>> span(5400), span(-7), span(0.2)
    ('1.5 h', '-7.0 s', 'under 1 s')
    """
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds / size
            return f"{sign}{count:.1f} {unit}" if count < 10 else f"{sign}{count:,.0f} {unit}"  # noqa: PLR2004 - one figure
    return "under 1 s"


def figure(value: float, kind: str) -> str:
    """Write the figure beside a suspicious job."""
    return number(value) if kind in _PLAIN_FIGURES else span(value)


def moment(at: datetime | None) -> str:
    """Write a time (UTC)."""
    return _NONE if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """Write a date (UTC)."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def clock(at: datetime) -> str:
    """Write the time of a day (UTC)."""
    return f"{at.astimezone(UTC):%H:%M}"


def daynumber(at: datetime | None) -> str:
    """Write a date as days since 1970, for the page's script; empty where there is none."""
    return "" if at is None else str(int(at.timestamp() // 86_400))


def precision(steps: int) -> str:
    """Write how far a duration may be from the middle of its bin.

    >>> precision(64), precision(8)
    ('0.6%', '4.5%')
    """
    return f"{float(2 ** (0.5 / steps)) - 1 + 0.0005:.1%}"


def wanted(filters: JobFilters) -> str:
    """Say which jobs are wanted; empty where all are."""
    said = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("connector", filters.connector_ids),
            ("job type", filters.job_types),
            ("status", filters.statuses),
        )
        if values
    ]
    if filters.since is not None:
        said.append(f"created from {moment(filters.since)}")
    if filters.until is not None:
        said.append(f"created before {moment(filters.until)}")
    return "; ".join(said)


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "percent": percent,
    "figure": figure,
    "moment": moment,
    "day": day,
    "clock": clock,
    "daynumber": daynumber,
}
"""Filters of the template."""
