"""Sorted files of one month become one sorted stream, in bounded memory.

The order of a month's jobs is found first; each job has a rank in it and belongs to one source. The rows of every
table are then merged by rank: what a source does not own is passed over, and rows of one job keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.keys import Int64s
from etl.load.layout import TMP
from etl.load.parquet import FORMAT, ParquetFile, read_chunks
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from etl.load.storage import Storage

Source: TypeAlias = Callable[[str, int], Iterator[pa.Table]]
"""Reads the rows of a table, by name, in chunks of at most that many rows, sorted as in the dataset."""

Ranked: TypeAlias = tuple[pa.Table, Int64s]
"""Rows and the rank of the job of each."""

MAX_SOURCES = 64
"""Files that are read side by side; more are merged in rounds."""

_CHUNK_ROWS = 131_072  # of all sources together
_LEAST_CHUNK_ROWS = 4_096

ORDER_SCHEMA = pa.schema(
    [pa.field("job_id", pa.string()), pa.field("created_at", pa.timestamp("us", "UTC")), pa.field("source", pa.int32())]
)
"""The jobs that each source owns."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JobOrder:
    """The jobs of a month in the order of its rows.

    Attributes:
        job_ids: by rank.
        owners: by rank, the position of the source whose rows count.
    """

    job_ids: pa.Array
    owners: Int64s

    @classmethod
    def of(cls, jobs: Sequence[pa.Table]) -> JobOrder:
        """Put jobs in order: by creation, undated ones last, then by id.

        Args:
            jobs: tables of ORDER_SCHEMA, no job twice.
        """
        table = pa.concat_tables([ORDER_SCHEMA.empty_table(), *jobs])
        table = table.sort_by([("created_at", "ascending"), ("job_id", "ascending")])
        return cls(
            job_ids=table["job_id"].combine_chunks(),
            owners=table["source"].to_numpy().astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.job_ids)


def merge_rows(name: str, sources: Sequence[Source], order: JobOrder) -> Iterator[Ranked]:
    """Merge a table's rows of a month.

    Args:
        name: of the table.
        sources: at most a few dozen, see `limit_sources`.
        order: of the jobs; `owners` are positions in `sources`.

    Yields:
        Chunks in the order of the dataset.
    """
    rows = max(_LEAST_CHUNK_ROWS, _CHUNK_ROWS // max(len(sources), 1))
    feeds = [_Feed(name, source(name, rows), order, position) for position, source in enumerate(sources)]
    while True:
        for feed in feeds:
            feed.fill()
        feeds = [feed for feed in feeds if feed.ranks.size]
        if not feeds:
            return
        # Rows of a job come from one source only, so everything up to the least end that may go on is complete.
        limit = min((int(feed.ranks[-1]) for feed in feeds if not feed.ended), default=len(order))
        yield _in_order([part for feed in feeds if (part := feed.take(limit))[1].size])


class _Feed:
    """The rows that one source owns, a chunk ahead."""

    def __init__(self, name: str, chunks: Iterator[pa.Table], order: JobOrder, position: int) -> None:
        self._chunks = chunks
        self._own = np.flatnonzero(order.owners == position)
        self._ids = order.job_ids.take(pa.array(self._own))
        self._rows = arrow_schema(name).empty_table()
        self._name = name
        self._last = 0
        self.ranks: Int64s = np.empty(0, np.int64)
        self.ended = False

    def fill(self) -> None:
        """Read on where nothing is left in hand."""
        while not self.ended and not self.ranks.size:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
                return
            places = pc.fill_null(pc.index_in(chunk["job_id"], value_set=self._ids), -1).to_numpy()
            owned = places >= 0
            self._rows = chunk if owned.all() else chunk.filter(pa.array(owned))
            self.ranks = self._own[places[owned]]
            if np.any(np.diff(self.ranks, prepend=self._last) < 0):
                msg = f"{self._name}: rows are not in the order of the dataset; see `etl verify`"
                raise OutputError(msg)
            self._last = int(self.ranks[-1]) if self.ranks.size else self._last

    def take(self, limit: int) -> Ranked:
        """Take the rows of all jobs up to a rank, that one included."""
        cut = int(np.searchsorted(self.ranks, limit, side="right"))
        part = self._rows.slice(0, cut), self.ranks[:cut]
        self._rows, self.ranks = self._rows.slice(cut), self.ranks[cut:]
        return part


def _in_order(parts: Sequence[Ranked]) -> Ranked:
    if len(parts) == 1:
        return parts[0]
    rows = pa.concat_tables([part[0] for part in parts])
    ranks = np.concatenate([part[1] for part in parts])
    order = np.argsort(ranks, kind="stable")
    return rows.take(pa.array(order)), ranks[order]


class RankWindows:
    """Cuts a stream of ranked rows where a rank ends."""

    def __init__(self, name: str, stream: Iterator[Ranked]) -> None:
        self._stream = stream
        self._rows = arrow_schema(name).empty_table()
        self._ranks: Int64s = np.empty(0, np.int64)
        self._ended = False

    def take_through(self, rank: int) -> Ranked:
        """Take all rows that are left of the jobs up to a rank, that one included."""
        tables, ranks = [self._rows], [self._ranks]
        while not self._ended and not (ranks[-1].size and ranks[-1][-1] > rank):
            following = next(self._stream, None)
            if following is None:
                self._ended = True
            else:
                tables.append(following[0])
                ranks.append(following[1])
        rows, all_ranks = pa.concat_tables(tables), np.concatenate(ranks)
        cut = int(np.searchsorted(all_ranks, rank, side="right"))
        self._rows, self._ranks = rows.slice(cut), all_ranks[cut:]
        return rows.slice(0, cut), all_ranks[:cut]


def file_source(paths: dict[str, list[Path]]) -> Source:
    """Return a source that reads sorted files one after the other; `paths` by table."""

    def read(name: str, rows: int) -> Iterator[pa.Table]:
        for path in paths.get(name, ()):
            yield from read_chunks(path, name, rows=rows)

    return read


def limit_sources(
    storage: Storage, scratch: Path, sources: Sequence[Source], order: JobOrder, most: int = MAX_SOURCES
) -> tuple[list[Source], JobOrder]:
    """Merge groups of sources into files until few enough are left.

    Args:
        storage: of the dataset.
        scratch: a folder that is removed afterwards.
        sources: any number.
        order: of the jobs.
        most: how many may be left, at least 2.

    Returns:
        At most `most` sources, and the order with them as owners.
    """
    current = list(sources)
    while len(current) > most:
        merged: list[Source] = []
        for first in range(0, len(current), most):
            group = current[first : first + most]
            inside = (order.owners >= first) & (order.owners < first + len(group))
            part = JobOrder(job_ids=order.job_ids, owners=np.where(inside, order.owners - first, -1))
            merged.append(_merge_to_files(storage, scratch, group, part))
        current, order = merged, JobOrder(job_ids=order.job_ids, owners=order.owners // most)
    return current, order


def _merge_to_files(storage: Storage, scratch: Path, sources: Sequence[Source], order: JobOrder) -> Source:
    folder = new_scratch(storage, scratch)
    paths: dict[str, list[Path]] = {}
    for table in TABLES:
        path = folder / f"{table.name}.{FORMAT}"
        with ParquetFile(storage, path, arrow_schema(table.name), private=True) as file:
            for rows, _ in merge_rows(table.name, sources, order):
                file.write(rows)
            file.close()
        paths[table.name] = [path]
    return file_source(paths)


def new_scratch(storage: Storage, scratch: Path) -> Path:
    """Make a folder below `scratch` that nobody has used."""
    storage.make_folder(scratch, private=True)
    folder = scratch / f"{sum(1 for _ in scratch.iterdir())}{TMP}"
    storage.make_folder(folder, private=True)
    return folder
