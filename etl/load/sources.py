"""Where the rows of one month come from: a snapshot, or a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.load.merge import Source, file_source
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from etl.load.reader import Snapshot
    from etl.load.staging import Batch


def snapshot_source(snapshot: Snapshot | None, month: str | None) -> Source:
    """Return a source of a snapshot's rows of one month; of none where there is no snapshot."""
    if snapshot is None:
        return file_source({})
    return file_source({table.name: snapshot.month_files(table.name, month) for table in TABLES})


def batch_source(batch: Batch, month: str | None) -> Source:
    """Return a source of a batch's rows of one month."""

    def read(name: str, rows: int) -> Iterator[pa.Table]:
        return batch.month_chunks(name, month, rows)

    return read
