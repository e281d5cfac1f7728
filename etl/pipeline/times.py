"""Times as they stand in documents, for the stages that walk lists and know nothing of tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etl.transform.timestamps import microseconds
from etl.transform.unfit import UnfitError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(value: object) -> datetime | None:
    """Read a time as it stands in a document, by the rules of the tables; None where it is none."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds(value))
    except UnfitError:
        return None
