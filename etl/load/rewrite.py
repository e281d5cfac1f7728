"""Published rows pass the redactor again, some jobs at a time, on their way into the merge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from etl.load.staging import sort_rows
from etl.load.stretch import JOBS, Stretch, one_batch
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from etl.load.merge import Source
    from etl.schema.declare import Table

RewriteRows: TypeAlias = Callable[[Mapping[str, pa.Table]], Mapping[str, pa.Table]]
"""Takes all tables' rows of some jobs and returns those of the same jobs, redacted by the rules of this run."""


def rewritten_source(source: Source, rewrite: RewriteRows) -> Source:
    """Return a source whose rows are redacted again when they are read.

    Reading raises ValueError where `rewrite` breaks its contract. It is read once, for all tables.
    """
    return replace(source, read=_RewrittenRows(source, rewrite))


@dataclass(frozen=True, slots=True, eq=False)
class _RewrittenRows:
    """Reads rows and redacts them; see `rewritten_source`."""

    source: Source
    rewrite: RewriteRows

    def __call__(self, names: Sequence[str]) -> Iterator[Stretch]:
        for stretch in self.source.read(names):
            after = self.rewrite(stretch.tables)
            yield Stretch.of({table.name: _checked(table, after[table.name], stretch.job_ids) for table in TABLES})


def _checked(table: Table, rows: pa.Table, ids: pa.Array) -> pa.RecordBatch:
    ranks = pc.index_in(rows["job_id"], value_set=ids)
    whole = table.name != JOBS or (rows.num_rows == len(ids) and pc.count_distinct(ranks).as_py() == len(ids))
    if ranks.null_count or not whole or not rows.schema.equals(arrow_schema(table.name)):
        msg = f"{table.name}: rewriting returned other jobs or another schema"
        raise ValueError(msg)
    return one_batch(sort_rows(table, rows, ranks))
