"""The figures that a run leaves for metrics: its own, and those of the dataset as readers see it afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.errors import OutputError
from etl.load.layout import Layout
from etl.load.objects.store import StoreError
from etl.load.place import for_arrow
from etl.load.reader import open_snapshot
from etl.load.runs import OUTCOMES
from etl.observe.metrics import RunMetrics

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from etl.load.reader import Snapshot
    from etl.pipeline.summary import RunSummary


def measured(
    output: Path, summary: RunSummary | None, *, exit_code: int, ended_at: datetime, duration_s: float
) -> RunMetrics:
    """Gather the figures; what cannot be read is left out.

    Args:
        output: folder of the dataset, absolute.
        summary: of the run; None where it had not begun.
        exit_code: that the command ends with.
        ended_at: when it ended.
        duration_s: seconds from the start of the command.
    """
    snapshot = _published(output)
    newest = None if snapshot is None else _newest(snapshot)
    return RunMetrics(
        output=os.fsencode(str(output)).decode("utf-8", "backslashreplace"),  # a label cannot hold other bytes
        exit_code=exit_code,
        ended_at=ended_at.timestamp(),
        duration_s=duration_s,
        outcomes=None if summary is None else summary.outcomes,
        retries=None if summary is None else _retries(Layout(output).run(summary.run_id) / OUTCOMES),
        jobs=None if snapshot is None else snapshot.rows("sync_jobs"),
        bytes=None if snapshot is None else snapshot.bytes,
        newest_at=None if newest is None else newest.timestamp(),
    )


def _published(output: Path) -> Snapshot | None:
    try:
        return open_snapshot(output)
    except (OutputError, StoreError):
        return None  # what is wrong there, the run itself has told


def _newest(snapshot: Snapshot) -> datetime | None:
    """Return when the newest job was created: only the last month is read, and of that one column."""
    months = [month for month in snapshot.months() if month is not None]
    files = snapshot.month_files("sync_jobs", max(months)) if months else []
    try:
        times = [
            pc.max(pq.read_table(for_arrow(path), columns=["created_at"], partitioning=None)["created_at"])
            for path in files
        ]
    except (OSError, pa.ArrowException, StoreError):
        return None
    newest: datetime | None = max((time.as_py() for time in times if time.is_valid), default=None)
    return newest


def _retries(path: Path) -> int | None:
    try:
        attempts = pq.read_table(for_arrow(path), columns=["attempts"], partitioning=None)["attempts"]
    except (OSError, pa.ArrowException, StoreError):
        return None
    beyond: int | None = pc.sum(pc.max_element_wise(pc.subtract(attempts, 1), 0)).as_py()
    return beyond or 0
