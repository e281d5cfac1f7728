"""The watermark of a dataset: where the last complete walk began, as the manifest holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from etl.extract.walk.since import Mark
from etl.pipeline.times import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from etl.extract.filters import JobFilters


def mark_of(watermark: Any, filters: JobFilters, overlap_s: float) -> Mark | None:  # noqa: ANN401 - any JSON
    """Return where an earlier walk with the same filters began; None where there was none."""
    if not isinstance(watermark, dict) or watermark.get("filters") != filters.key():
        return None
    begun = time_of(watermark.get("created_at"))
    return None if begun is None else Mark(watermark=begun, overlap=timedelta(seconds=overlap_s))


def watermark_of(filters: JobFilters, newest: datetime) -> dict[str, str]:
    """Return what the manifest keeps of a complete walk that began at the newest job of its time."""
    return {"filters": filters.key(), "created_at": newest.isoformat()}
