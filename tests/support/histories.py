"""Datasets of many made-up jobs, published in Arrow tables without a cluster: a million take half a minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl.load.runs import RunRecord
from etl.load.staging import stage
from etl.load.storage import Storage
from etl.load.writer import Closing, Opening, Writer
from etl.model import Provenance, StagedBatch
from etl.schema.arrow import arrow_schema, schema_fingerprint
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NOW = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)
_STATUSES = ("completed", "completed", "completed", "completed", "error", "canceled", "in_progress", "pending")
_TYPES = ("full", "incremental", "access_control", None)
_TIME = pa.timestamp("us", "UTC")


def publish_history(
    root: Path, *, jobs: int, connectors: int = 30, days: int = 730, fields: int = 3, batch: int = 100_000
) -> Closing:
    """Publish jobs that were created evenly over days until NOW, each with a configuration of some visible fields."""
    numbers = (range(first, min(first + batch, jobs)) for first in range(0, jobs, batch))
    return publish_tables(root, (_tables(some, jobs, connectors, days, fields) for some in numbers))


def publish_tables(root: Path, batches: Iterable[Mapping[str, pa.Table]]) -> Closing:
    """Publish tables as they are, as a first run."""
    opening = Opening(
        run_id="20261124T035000Z-000001",
        now=NOW,
        provenance=Provenance(source="cluster-1", schema_fingerprint=schema_fingerprint(), redactor_version=1),
        settle=timedelta(hours=1),
    )
    storage = Storage(root)
    with Writer.open(storage, opening) as writer:
        for number, tables in enumerate(batches):
            staged = StagedBatch(number=number, tables=tables, not_found={})
            writer.commit(stage(storage, opening.run_id, opening.provenance, staged))
        record = RunRecord(source="cluster-1", started_at=NOW, ended_at=NOW, exit_code=0)
        return writer.publish(writer.plan(), record, now=NOW)


def _tables(numbers: range, jobs: int, connectors: int, days: int, fields: int) -> dict[str, pa.Table]:
    random = np.random.default_rng(numbers.start)
    number = np.arange(numbers.start, numbers.stop)
    count = len(number)
    created = np.datetime64(NOW.replace(tzinfo=None), "us") - (
        (jobs - number) * (days * 86_400_000_000 // jobs)
    ).astype("timedelta64[us]")
    status = random.choice(len(_STATUSES), count)
    started = created + (random.lognormal(2, 1.5, count) * 1e6).astype("timedelta64[us]")
    ended = started + (random.lognormal(5, 1.5, count) * 1e6).astype("timedelta64[us]")
    words = pa.array(_STATUSES).take(pa.array(status))
    is_final = status < 6
    failed = pa.array(status == 4)
    ids = pa.array([f"job-{n:08}" for n in number])
    month = pa.array(created.astype("datetime64[M]").astype(str))
    connector = pa.array([f"connector-{n:03}" for n in random.zipf(1.3, count) % connectors])
    texts = pa.array(
        [f"ConnectionError: no answer from 10.0.{n % 250}.7 after {n} s, document {n:024x}" for n in number]
    )
    indexed = random.integers(0, 5000, count)
    rows = {
        "sync_jobs": {
            "job_id": ids,
            "connector_id": connector,
            "job_type": pa.array(_TYPES).take(pa.array(random.choice(4, count))),
            "status": words,
            "created_at": pa.array(created, _TIME),
            "started_at": pa.array(started, _TIME, mask=status == 7),
            "completed_at": pa.array(ended, _TIME, mask=~is_final),
            "last_seen": pa.array(ended, _TIME),
            "indexed_document_count": pa.array(indexed),
            "indexed_document_volume": pa.array(np.where(number % 10 == 0, indexed * 2000 + 1, indexed // 50)),
            "deleted_document_count": pa.array(random.integers(0, 5, count)),
            "error": texts.take(
                pa.array(np.arange(count), mask=~np.asarray(failed))
            ),
            "fetched_at": pa.array([NOW] * count, _TIME),
            "created_month": month,
        },
        "connectors": {
            "job_id": ids,
            "index_name": connector,
            "service_type": pa.array(["postgresql"] * count),
            "created_month": month,
        },
        "connector_configuration": {
            "job_id": ids.take(pa.array(np.repeat(np.arange(count), fields))),
            "field": pa.array([f"field_{n}" for n in range(fields)] * count),
            "value_json": pa.array(np.repeat(number // max(1, jobs // 4), fields).astype(str)),
            "is_redacted": pa.array(np.zeros(count * fields, bool)),
            "created_month": month.take(pa.array(np.repeat(np.arange(count), fields))),
        },
    }  # fmt: skip
    return {table.name: _filled(table.name, rows.get(table.name, {})) for table in TABLES}


def _filled(name: str, columns: dict[str, pa.Array]) -> pa.Table:
    schema = arrow_schema(name)
    count = len(next(iter(columns.values()), ()))
    return pa.Table.from_arrays(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
            for field in schema
        ],
        schema=schema,
    )
