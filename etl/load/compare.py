"""Which jobs differ from what is published, in any row of any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.merge import ALL_TABLES, bounds_of, windows
from etl.load.stretch import JOBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl.load.keys import Bools
    from etl.load.merge import Source
    from etl.load.stretch import Part

_NOT_CONTENT = "fetched_at"


def differing_jobs(
    before: Source, after: Sequence[Source], names: Sequence[str] = ALL_TABLES
) -> Iterator[tuple[pa.Array, Bools]]:
    """Compare the rows of jobs, but for `fetched_at`.

    Args:
        before: reads the published rows.
        after: sources of the fetched rows, of the same jobs at the same places.
        names: of the tables that are compared.

    Yields:
        Ids of jobs in order, and for each whether anything differs.
    """
    bounds = bounds_of([before, *after])
    # Whoever reads rows of other tables must have those of sync_jobs too.
    read = names if JOBS in names else (JOBS, *names)
    for old, new in zip(windows([before], bounds, read), windows(after, bounds, read), strict=True):
        differs = np.zeros(len(old), dtype=np.bool_)
        for name in names:
            differs |= _differing(old.parts[name], new.parts[name])
        yield old.job_ids, differs


def _differing(old: Part, new: Part) -> Bools:
    """Tell for each job whether its rows differ; those of a job are in the order of their keys."""
    differs: Bools = old.counts != new.counts
    alike = ~differs
    before, after = (part if alike.all() else part.pick(alike) for part in (old, new))
    unequal = np.zeros(before.rows.num_rows, dtype=np.bool_)
    for name in before.rows.schema.names:
        if name != _NOT_CONTENT:
            unequal |= ~same_values(before.rows.column(name), after.rows.column(name))
    jobs = np.repeat(np.flatnonzero(alike), before.counts)
    differs[jobs[unequal]] = True
    return differs


def same_values(old: pa.Array, new: pa.Array) -> Bools:
    """Tell for each row whether two columns of one length hold the same; null is the same as null."""
    if old.equals(new):
        return np.ones(len(old), dtype=np.bool_)
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
