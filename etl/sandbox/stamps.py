"""Points in time as each writer of sync jobs prints them. A time is an int: nanoseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.sandbox.dice import Dice

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

_MIN_JAVA_DIGITS = 3


def nanoseconds(moment: datetime) -> int:
    """Return a zoned time as nanoseconds since 1970, exact to the second."""
    return int(moment.timestamp()) * SECOND


def java(time: int) -> str:
    """Print as Elasticsearch does: `Z`, nine digits, trailing zeros cut down to three.

    >>> java(1701440323076930000)
    '2023-12-01T14:18:43.07693Z'
    """
    seconds, fraction = divmod(time, SECOND)
    digits = f"{fraction:09d}".rstrip("0").ljust(_MIN_JAVA_DIGITS, "0")
    return f"{_local(seconds)}.{digits}Z"


def python(time: int) -> str:
    """Print as the Python service does: `+00:00`, six digits, none where they are all zero."""
    seconds, fraction = divmod(time, SECOND)
    micros = fraction // 1000
    return f"{_local(seconds)}.{micros:06d}+00:00" if micros else f"{_local(seconds)}+00:00"


def kibana(time: int) -> str:
    """Print as JavaScript does: three digits and `Z`."""
    seconds, fraction = divmod(time, SECOND)
    return f"{_local(seconds)}.{fraction // 1_000_000:03d}Z"


def ruby(time: int, offset_hours: int) -> str:
    """Print as the Ruby service does: three digits and the offset of the machine's time zone."""
    zone = timezone(timedelta(hours=offset_hours))
    moment = datetime.fromtimestamp(time // SECOND, zone).replace(microsecond=time % SECOND // 1000)
    return moment.isoformat(timespec="milliseconds")


def odd(time: int, dice: Dice) -> str | int:
    """Print in one of the rare forms: no zone, `+0000`, a space for the T, a date only, epoch milliseconds."""
    seconds, fraction = divmod(time, SECOND)
    milliseconds = time // 1_000_000
    text = f"{_local(seconds)}.{fraction // 1000:06d}"
    forms: tuple[str | int, ...] = (
        text,
        text + "+0000",
        text.replace("T", " ") + "Z",
        text[:10],
        milliseconds,
        str(milliseconds),
    )
    return dice.pick(forms)


def _local(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
