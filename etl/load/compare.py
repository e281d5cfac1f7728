"""Which jobs differ from what is published, in any row of any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.merge import RankWindows, Source, merge_rows
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.load.keys import Bools, Int64s
    from etl.load.merge import JobOrder

WINDOW_JOBS = 2_000
"""Jobs whose rows are compared at once."""

_NOT_CONTENT = "fetched_at"


def differing_jobs(before: Source, after: Sequence[Source], order: JobOrder, window_jobs: int = WINDOW_JOBS) -> Bools:
    """Compare the rows of jobs in all tables, but for `fetched_at`.

    Args:
        before: reads the published rows of the jobs' month.
        after: sources of the fetched rows.
        order: of the jobs to compare; `owners` are positions in `after`.
        window_jobs: jobs compared at once.

    Returns:
        For each rank whether anything differs.
    """
    differs = np.zeros(len(order), dtype=np.bool_)
    one_owner = type(order)(job_ids=order.job_ids, owners=np.zeros(len(order), dtype=np.int64))
    for table in TABLES:
        old = RankWindows(table.name, merge_rows(table.name, [before], one_owner))
        new = RankWindows(table.name, merge_rows(table.name, after, order))
        for first in range(0, len(order), window_jobs):
            size = min(window_jobs, len(order) - first)
            last = first + size - 1
            old_rows, old_ranks = old.take_through(last)
            new_rows, new_ranks = new.take_through(last)
            if not old_ranks.size and not new_ranks.size:
                continue
            differs[first : last + 1] |= _differing(old_rows, old_ranks - first, new_rows, new_ranks - first, size)
    return differs


def _differing(old: pa.Table, old_ranks: Int64s, new: pa.Table, new_ranks: Int64s, size: int) -> Bools:
    """Tell for each rank of a window whether its rows differ; rows of a job are in the order of their keys."""
    counts_differ: Bools = np.bincount(old_ranks, minlength=size) != np.bincount(new_ranks, minlength=size)
    old = old.filter(pa.array(~counts_differ[old_ranks]))
    new = new.filter(pa.array(~counts_differ[new_ranks]))
    ranks = old_ranks[~counts_differ[old_ranks]]
    differs = counts_differ
    for name in old.column_names:
        if name != _NOT_CONTENT:
            differs[ranks[~same_values(old[name].combine_chunks(), new[name].combine_chunks())]] = True
    return differs


def same_values(old: pa.Array, new: pa.Array) -> Bools:
    """Tell for each row whether two columns of one length hold the same; null is the same as null."""
    if not pa.types.is_list(old.type):
        equal = pc.fill_null(pc.equal(old, new), fill_value=False)
        both_null = pc.and_(pc.is_null(old), pc.is_null(new))
        return _bools(pc.or_(equal, both_null))
    same = same_values(pc.list_value_length(old), pc.list_value_length(new))
    comparable = pa.array(same)
    old_lists, new_lists = old.filter(comparable), new.filter(comparable)
    unequal = ~same_values(old_lists.flatten(), new_lists.flatten())
    parents = pc.list_parent_indices(old_lists).to_numpy(zero_copy_only=False)
    same[np.flatnonzero(same)[parents[unequal]]] = False
    return same


def _bools(mask: pa.Array) -> Bools:
    values: Bools = mask.to_numpy(zero_copy_only=False).astype(np.bool_)
    return values.copy()
