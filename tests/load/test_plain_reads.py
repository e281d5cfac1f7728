"""What analysts read without this package: pandas, DuckDB and polars on the published files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from etl.load.build import Limits
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES
from tests.load.conftest import HOUR, NOW, Job, Run, assert_declared, at, expected, published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.load.conftest import TracedStorage

JOBS = [
    Job(id="007", created_at=at(1), fields={"host": "h", "key": None}),
    Job(id="7", created_at=at(2, month=10), fields={"port": "1"}, messages=[["x"], None, []], rules=2),
    Job(id="undated", created_at=None),
    Job(id="late", created_at=at(3, month=12), error="x" * 100),
]
NAMES = [table.name for table in TABLES]


@pytest.fixture
def latest(storage: TracedStorage, root: Path) -> Path:
    """Files of two runs, so that linked and new ones stand beside each other; field_issues has no rows."""
    Run(storage, opening={"limits": Limits(file_rows=1)}).publish(JOBS[:2])
    Run(storage, now=NOW + HOUR).publish(JOBS[2:])
    return root / "latest"


@pytest.mark.parametrize("name", NAMES)
def test_every_file_of_a_table_has_one_and_the_same_schema(latest: Path, name: str) -> None:
    files = list((latest / name).glob("*.parquet"))
    assert files
    for path in files:
        assert_declared(pq.read_schema(path), name)
        assert pq.read_schema(path).equals(pq.read_schema(files[0]), check_metadata=True)
        assert {column.compression for column in _chunks(path)} <= {"ZSTD"}


def _chunks(path: Path) -> list[pq.ColumnChunkMetaData]:
    metadata = pq.read_metadata(path)
    return [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_pandas_duckdb_and_polars_read_all_rows(latest: Path, name: str) -> None:
    rows = expected(JOBS)[name]
    frame = pd.read_parquet(latest / name)
    assert len(frame) == len(rows)
    assert list(frame.columns) == arrow_schema(name).names
    assert sorted(frame["job_id"]) == sorted(row["job_id"] for row in rows)
    assert str(frame["created_month"].dtype) == "string"
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT job_id) FROM '{latest / name}/*.parquet'")
    assert counted is not None
    assert counted.fetchall() == [(len(rows), len({row["job_id"] for row in rows}))]
    assert pl.read_parquet(latest / name / "*.parquet").height == len(rows)


def test_pandas_gets_exact_types_without_being_asked(latest: Path) -> None:
    types = pd.read_parquet(latest / "sync_jobs").dtypes.astype(str)
    assert types["created_at"] == "datetime64[us, UTC]"
    assert types["indexed_document_count"] == "Int64"
    assert pd.read_parquet(latest / "connector_configuration")["is_redacted"].dtype == "boolean"
    assert pd.read_parquet(latest / "field_issues").empty


def test_a_table_without_rows_is_one_file_that_is_carried_over_until_rows_come(
    latest: Path, storage: TracedStorage, root: Path
) -> None:
    (empty,) = (latest / "field_issues").iterdir()
    assert f"empty_{published(root).manifest.parent}_0.parquet" == empty.name
    issue = replace(JOBS[0], issues=1, fetched_at=NOW + 2 * HOUR)
    Run(storage, now=NOW + 2 * HOUR).publish([issue])
    assert [path.name[:8] for path in (root / "latest" / "field_issues").iterdir()] == ["2026-11_"]
    run = Run(storage, now=NOW + 3 * HOUR)
    run.publish([replace(issue, issues=0, fetched_at=NOW + 3 * HOUR)])
    assert [path.name for path in (root / "latest" / "field_issues").iterdir()] == [f"empty_{run.run_id}_0.parquet"]


def test_files_are_named_by_month_run_and_number(latest: Path) -> None:
    names = sorted(path.name for path in (latest / "connector_configuration").iterdir())
    assert [(name.split("_")[0], name.split("_")[2]) for name in names] == [
        ("2026-10", "0.parquet"),
        ("2026-11", "0.parquet"),
        ("2026-11", "1.parquet"),
    ]


def test_a_snapshot_resolved_once_is_read_whole_while_others_are_published(
    latest: Path, storage: TracedStorage, root: Path
) -> None:
    assert latest.is_dir()
    held = published(root)
    Run(storage, now=NOW + 2 * HOUR).publish([replace(job, error="y", fetched_at=NOW + 2 * HOUR) for job in JOBS])
    assert sorted(held.read("sync_jobs", ["error"])["error"].to_pylist(), key=str) == [None, None, None, "x" * 100]
    assert set(published(root).read("sync_jobs", ["error"])["error"].to_pylist()) == {"y"}


def test_snapshots_are_for_all_readers_that_the_umask_lets_in_and_runs_for_the_owner(latest: Path, root: Path) -> None:
    assert latest.is_dir()
    assert {path.stat().st_mode & 0o077 for path in (root / "runs").rglob("*")} == {0}
    assert all(path.stat().st_mode & 0o044 for path in (root / "snapshots").rglob("*.parquet"))
