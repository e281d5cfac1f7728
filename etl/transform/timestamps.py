"""Times in every notation that writers of sync jobs use, to microseconds since the epoch.

Digits past the microsecond are cut, never rounded. What has no zone is UTC (the Python service wrote such times once).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl.transform.unfit import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FORM = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<clock>\d{2}:\d{2}(?::\d{2})?)(?:[.,](?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?)?",
    re.ASCII,
)
_EPOCH_DIGITS = re.compile(r"-?\d{1,15}", re.ASCII)
_OUT_OF_RANGE = "a time outside the years 1 to 9999"
_FIRST_MS = -62_135_596_800_000  # 0001-01-01
_LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999


def microseconds(value: object) -> int:
    """Convert one time out of a document.

    Args:
        value: ISO 8601 text with 0 to 9 fraction digits, with `Z`, any offset or no zone, a date alone, a space in
            place of the T; or epoch milliseconds as a number or as digits.

    Returns:
        Microseconds since 1970-01-01T00:00:00Z.

    Raises:
        UnfitError: it is none of these, or outside the years 1 to 9999.

    >>> microseconds("2023-12-01T14:18:43.123456789Z"), microseconds("1970-01-01 00:00:01+00:00"), microseconds(1)
    (1701440323123456, 1000000, 1000)
    """
    if isinstance(value, str):
        if form := _FORM.fullmatch(value.strip()):
            return _iso(form)
        if _EPOCH_DIGITS.fullmatch(value.strip()):
            return _epoch_ms(int(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        return _epoch_ms(value)
    elif isinstance(value, float) and value.is_integer():
        return _epoch_ms(int(value))
    raise UnfitError(_PROBLEM)


def times(texts: Sequence[str | None]) -> tuple[pa.Array, list[int]]:
    """Convert a column of times at once.

    Args:
        texts: of times, or None.

    Returns:
        A column of microseconds since 1970-01-01T00:00:00Z, exactly as `microseconds` gives them, and the positions of
        those that are no times, which are null.
    """
    column = pa.array(texts, pa.string())
    # Digits past the microsecond are cut here, for Arrow refuses them.
    cut = pc.replace_substring_regex(column, pattern=_PAST_MICROSECOND, replacement=r"\1\2")
    usual = pc.match_substring_regex(cut, pattern=_USUAL)
    try:
        converted = pc.if_else(usual, cut, None).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    except pa.ArrowInvalid:  # one of them is no time, such as the 30th of February
        converted, usual = pa.nulls(len(texts), pa.int64()), pa.nulls(len(texts), pa.bool_())
    if usual.true_count == len(texts) - column.null_count:
        return converted, []
    found: list[int | None] = converted.to_pylist()
    unfit = []
    for position, text in enumerate(texts):
        if text is not None and found[position] is None:
            try:
                found[position] = microseconds(text)
            except UnfitError:
                unfit.append(position)
    return pa.array(found, pa.int64()), unfit


# What nearly all writers write; the years are those whose times no offset can move out of range.
_USUAL = r"^[12]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$"
_PAST_MICROSECOND = r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6})\d{1,3}(Z|[+-]\d{2}:\d{2})$"
_PROBLEM = "not a time (ISO 8601 or epoch milliseconds)"


def _epoch_ms(value: int) -> int:
    if not _FIRST_MS <= value <= _LAST_MS:
        raise UnfitError(_OUT_OF_RANGE)
    return value * 1000


def _iso(form: re.Match[str]) -> int:
    clock, fraction, zone = form["clock"] or "00:00", form["fraction"], form["zone"]
    try:
        moment = datetime.fromisoformat(f"{form['date']}T{clock}").replace(tzinfo=_zone(zone))
        whole = (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise UnfitError(_PROBLEM) from error
    if not _FIRST_MS <= whole // 1000 <= _LAST_MS:
        raise UnfitError(_OUT_OF_RANGE)
    return whole + (int(fraction[:6].ljust(6, "0")) if fraction else 0)


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return timezone(offset if text[0] == "+" else -offset)
