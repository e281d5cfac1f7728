"""Small files are joined: a publish that fetches nothing, with the same rows in fewer files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl.errors import OutputError
from etl.load.reader import Snapshot, open_snapshot
from etl.load.runs import ONLY_JOINS
from etl.pipeline.opening import opened

if TYPE_CHECKING:
    from etl.pipeline.stop import Stop
    from etl.pipeline.summary import RunSummary
    from etl.settings import RunSettings


def compact(settings: RunSettings, *, stop: Stop) -> RunSummary:
    """Write anew the months whose rows would fit in fewer files.

    Everything else of the dataset stays: its source, formats, exposed fields and watermark. Batches that a run which
    died had staged are published with it, as by any run.

    Args:
        settings: output folder, retention and permissions.
        stop: ends it before it publishes.

    Returns:
        The summary; its figures have the number of Parquet files before and after.

    Raises:
        LockedError: another run holds the lock.
        OutputError: there is no dataset, or it cannot be read or written.
    """
    before = open_snapshot(settings.output)
    if before is None:
        msg = f"{settings.output.absolute()}: no dataset is published here, so there are no files to join"
        raise OutputError(msg)
    manifest = before.manifest
    same = replace(
        settings, exposed=frozenset(manifest.origin.exposed), formats=manifest.formats, csv_raw=manifest.csv_raw
    )
    with opened(
        same, manifest.origin.source, started=datetime.now(UTC), stop=stop, inputs={ONLY_JOINS: True}, shown_settings={}
    ) as course:
        course.joins_files = True
        course.figures["files_before"] = _files(before)
        summary = course.finish()
    after = open_snapshot(settings.output) or before
    return replace(summary, figures={**summary.figures, "files_after": _files(after)})


def _files(snapshot: Snapshot) -> int:
    return sum(len(snapshot.entries(name)) for name in snapshot.manifest.tables)
