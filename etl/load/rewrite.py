"""Published rows pass the redactor again, some jobs at a time, into files that then take their place in the merge."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl.load.merge import RankWindows, file_source, merge_rows, new_scratch
from etl.load.parquet import FORMAT, ParquetFile
from etl.load.staging import sort_rows
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from etl.load.merge import JobOrder, Source
    from etl.load.storage import Storage
    from etl.schema.declare import Table

REWRITE_JOBS = 5_000
"""Jobs whose rows are in memory at once."""


def rewritten_source(
    storage: Storage,
    scratch: Path,
    source: Source,
    order: JobOrder,
    rewrite: Callable[[Mapping[str, pa.Table]], Mapping[str, pa.Table]],
    most_jobs: int = REWRITE_JOBS,
) -> Source:
    """Redact a month's published rows again.

    Args:
        storage: of the dataset.
        scratch: a folder that is removed afterwards.
        source: of the published rows.
        order: of the jobs that stay, all owned by that source.
        rewrite: takes all tables' rows of some jobs and returns them, the same jobs in sync_jobs, redacted.
        most_jobs: that are rewritten at once.

    Raises:
        OutputError: a file cannot be read or written.
        ValueError: `rewrite` broke its contract.
    """
    folder = new_scratch(storage, scratch)
    paths = {table.name: folder / f"{table.name}.{FORMAT}" for table in TABLES}
    windows = {table.name: RankWindows(table.name, merge_rows(table.name, [source], order)) for table in TABLES}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(ParquetFile(storage, path, arrow_schema(name), private=True))
            for name, path in paths.items()
        }
        for first in range(0, len(order), most_jobs):
            ids = order.job_ids.slice(first, most_jobs)
            last = first + len(ids) - 1
            before = {name: window.take_through(last)[0] for name, window in windows.items()}
            after = rewrite(before)
            for table in TABLES:
                files[table.name].write(_checked(table, after[table.name], ids))
        for file in files.values():
            file.close()
    return file_source({name: [path] for name, path in paths.items()})


def _checked(table: Table, rows: pa.Table, ids: pa.Array) -> pa.Table:
    ranks = pc.index_in(rows["job_id"], value_set=ids)
    whole = table.name != "sync_jobs" or (rows.num_rows == len(ids) and pc.count_distinct(ranks).as_py() == len(ids))
    if ranks.null_count or not whole or not rows.schema.equals(arrow_schema(table.name)):
        msg = f"{table.name}: rewriting returned other jobs or another schema"
        raise ValueError(msg)
    return sort_rows(table, rows, ranks)
