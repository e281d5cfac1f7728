"""Times as the index reads them: whole milliseconds since 1970, whatever form a document or a query has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.jsontext import JsonValue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST = -62_135_596_800_000  # the year 1
_LATEST = 253_402_300_799_999  # the end of the year 9999
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_SECOND_MS = 1_000


def milliseconds(value: JsonValue) -> int | None:
    """Read ISO 8601 text, epoch milliseconds, or those as digits in a text; None where it is no time.

    A text without zone means UTC; what is finer than a millisecond is cut, as the mapping `date` does. Times outside
    the years 1 to 9999 are none.

    >>> milliseconds("2025-11-01T01:00:00.0019+01:00"), milliseconds(1730419200000), milliseconds("just now")
    (1761955200001, 1730419200000, None)
    """
    time_ms = _read(value)
    return time_ms if time_ms is not None and _EARLIEST <= time_ms <= _LATEST else None


def _read(value: JsonValue) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isdecimal() and len(value) > 4:  # noqa: PLR2004 - four digits are a year
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def last_millisecond(value: JsonValue) -> int | None:
    """Read a bound that rounds up: what the text leaves out becomes the last of its kind, as in `lte` and `gt`.

    >>> last_millisecond("2025-11-01") - milliseconds("2025-11-01")
    86399999
    """
    begin = milliseconds(value)
    if begin is None or not isinstance(value, str) or value.isdecimal():
        return begin
    _, _, time = value.replace(" ", "T").partition("T")
    if not time:
        return begin + _DAY_MS - 1
    if time.count(":") < 2 and "." not in time:  # noqa: PLR2004 - hours, minutes, seconds
        return begin + _MINUTE_MS - 1
    return begin if "." in time else begin + _SECOND_MS - 1


def iso(time_ms: int) -> str:
    """Print as the format `strict_date_optional_time` does.

    >>> iso(1761955200001)
    '2025-11-01T00:00:00.001Z'
    """
    moment = _EPOCH + time_ms * _MILLISECOND
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
