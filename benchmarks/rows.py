"""Rows of as many jobs as a measurement needs, made fast: real jobs over and over, under ids of their own."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.model import Document, Provenance
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.identity import id_of
from etl.sandbox.population import large_population
from etl.sandbox.settings import SEED
from etl.schema.arrow import schema_fingerprint
from etl.schema.tables import TABLES
from etl.transform.redact import REDACTOR_VERSION
from etl.transform.tables import transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FETCHED = NOW - timedelta(hours=1)
PROVENANCE = Provenance(
    source="measured", schema_fingerprint=schema_fingerprint(), redactor_version=REDACTOR_VERSION, exposed=()
)
_PATTERNS = 1_000
_ID_BYTES = 15  # 20 characters in base64, as those of Elasticsearch
_SECONDS = 28 * 24 * 3600  # of a month, whichever


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """Jobs of a measurement: numbers in one version, spread over months.

    Attributes:
        numbers: of the jobs.
        months: that they were created in, such as "2026-11": that of a job follows from its number.
        version: 0; another number changes one column of each.
        fetched: when (UTC).
    """

    numbers: Sequence[int]
    months: Sequence[str]
    version: int = 0
    fetched: datetime = FETCHED

    def groups(self, size: int) -> Iterator[Jobs]:
        """Yield them in groups."""
        for first in range(0, len(self.numbers), size):
            yield replace(self, numbers=self.numbers[first : first + size])


def months_before(count: int) -> tuple[str, ...]:
    """Return the last months up to now, the newest last.

    >>> months_before(2)
    ('2026-10', '2026-11')
    """
    last = NOW.year * 12 + NOW.month - 1
    return tuple(f"{month // 12}-{month % 12 + 1:02}" for month in range(last - count + 1, last + 1))


def rows_of(jobs: Jobs) -> dict[str, pa.Table]:
    """Return the rows of jobs in all tables, about 14 a job."""
    numbers = np.array(jobs.numbers)
    count = len(numbers)
    ids = _ids(numbers)
    codes = pa.array(numbers % len(jobs.months))
    months = pa.array(jobs.months, pa.string()).take(codes)
    begins = np.array(jobs.months, "datetime64[M]").astype("datetime64[us]")[numbers % len(jobs.months)]
    created = begins + (numbers * 7919 % _SECONDS).astype("timedelta64[s]")
    made: dict[str, list[pa.Table]] = {table.name: [] for table in TABLES}
    for start in range(0, count, _PATTERNS):
        places = np.arange(start, min(start + _PATTERNS, count))
        for name, (rows, owners) in _patterns().items():
            mine = rows.slice(0, int(np.searchsorted(owners, len(places))))
            at = pa.array(owners[: mine.num_rows] + start)
            mine = _with(mine, "job_id", ids.take(at))
            made[name].append(_with(mine, "created_month", months.take(at)))
    tables = {name: pa.concat_tables(parts).combine_chunks() for name, parts in made.items()}
    times = pa.array(created, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    own = {
        "created_at": times,
        "started_at": times,
        "completed_at": pc.add(times, pa.scalar(timedelta(minutes=10))),
        "last_seen": pc.add(times, pa.scalar(timedelta(minutes=10))),
        "cancelation_requested_at": pa.nulls(count, times.type),
        "canceled_at": pa.nulls(count, times.type),
        "status": pa.repeat("completed", count),
        "indexed_document_count": pa.array(numbers + jobs.version),
        "fetched_at": pa.array([jobs.fetched], times.type).take(pa.array(np.zeros(count, np.int64))),
    }
    for name, column in own.items():
        tables["sync_jobs"] = _with(tables["sync_jobs"], name, column)
    return tables


def _with(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    position = rows.column_names.index(name)
    return rows.set_column(position, rows.schema.field(position), column.cast(rows.schema.field(position).type))


def _ids(numbers: np.ndarray) -> pa.StringArray:
    """Return an id for each number, as random as those of a cluster."""
    mixed = np.empty((len(numbers), 2), "<u8")
    mixed[:, 0] = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed[:, 1] = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    raw = np.ascontiguousarray(mixed.view(np.uint8).reshape(len(numbers), 16)[:, :_ID_BYTES])
    text = base64.urlsafe_b64encode(raw.tobytes())
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * (_ID_BYTES * 4 // 3)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))


@cache
def _patterns() -> dict[str, tuple[pa.Table, np.ndarray]]:
    """Return rows of jobs of a sandbox, with the position of each one's job."""
    population = large_population(
        jobs=_PATTERNS, connectors=36, largest=_PATTERNS // 4, deleted=2, untyped=10, undated=0, tied=0
    )
    made = GeneratedJobs(SEED, _PATTERNS, population)
    ids = [id_of(number) for number in range(_PATTERNS)]
    documents = [Document(raw=made.body(job_id) or b"", fetched_at=FETCHED, id=job_id) for job_id in ids]
    tables = transform(documents).tables
    positions = pa.array(ids)
    return {
        name: (rows.combine_chunks(), pc.index_in(rows["job_id"], value_set=positions).to_numpy())
        for name, rows in tables.items()
    }
