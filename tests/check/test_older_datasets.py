"""Datasets that earlier versions published stay readable, and are as sound as they were.

`datasets/v1` is the output folder of this script, run under schema version 1 with the repository and `tests/support`
on the path, without `_staging` and `_lock`, which readers do not need:

    from pathlib import Path
    from benches import Bench
    from documents import job
    from etl.sandbox.server import Sandbox
    from etl.sandbox.settings import SandboxSettings

    password = {"value": "s3cret-s3cret", "sensitive": True}
    fields = {"host": {"value": "db.example.org", "order": 1}, "password": password}
    errors = {"state": "invalid", "errors": [{"ids": ["DEFAULT"], "messages": ["=no"]}]}
    filtering = {**job()["connector"]["filtering"], "validation": errors}
    documents = {
        "full": job(id="full", total_document_count="many",
                    connector={"configuration": fields, "filtering": [filtering]}),
        "=plain": job(id="=plain", status="error", error="no\\nway", connector={"filtering": []}),
        "undated": job(id="undated", created_at=None, connector={"filtering": None}),
    }
    with Sandbox(SandboxSettings(documents=documents)) as sandbox:
        bench = Bench(folder=Path("v1"), documents=documents, sandbox=sandbox)
        assert bench.run("--format", "parquet,csv").code == 0

A later version of the schema gets a folder of its own beside it; this one stays as it is.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from etl.check.findings import Kind
from etl.check.verify import verify
from etl.dataset import open_dataset
from etl.load.reader import open_snapshot
from etl.schema.arrow import SCHEMA_VERSION, arrow_schema, schema_fingerprint
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.load.manifest import SnapshotManifest
    from tests.check.conftest import Copy

DATASETS = sorted(path for path in (Path(__file__).parent / "datasets").iterdir() if path.is_dir())
ROWS = {
    "v1": {
        "sync_jobs": 3,
        "connectors": 3,
        "connector_configuration": 2,
        "filtering": 1,
        "filtering_rules": 1,
        "filtering_validation_errors": 1,
        "field_issues": 1,
    }
}


@pytest.fixture(params=DATASETS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def manifest_of(folder: Path) -> SnapshotManifest:
    snapshot = open_snapshot(folder)
    assert snapshot is not None
    return snapshot.manifest


def test_a_dataset_of_every_schema_version_is_kept() -> None:
    assert [manifest_of(folder).origin.schema_version for folder in DATASETS] == list(range(1, SCHEMA_VERSION + 1))


def test_tables_of_another_shape_have_another_schema_version(folder: Path) -> None:
    origin = manifest_of(folder).origin

    assert (origin.schema_version == SCHEMA_VERSION) == (origin.schema_fingerprint == schema_fingerprint())


def test_an_older_dataset_is_sound(folder: Path) -> None:
    report = verify(folder, everything=True)

    assert (report.problems, report.notes) == ((), ())
    assert report.rows == sum(ROWS[folder.name].values())


def test_all_tables_of_an_older_dataset_are_read_in_the_current_schema(folder: Path) -> None:
    dataset = open_dataset(folder)

    for table in TABLES:
        rows = dataset.read(table.name, as_="arrow")
        assert rows.schema.equals(arrow_schema(table.name))
        assert rows.num_rows == dataset.rows(table.name) == ROWS[folder.name].get(table.name, 0)
    assert list(dataset["sync_jobs"]["job_id"]) == ["=plain", "full", "undated"]
    assert list(dataset.jobs()["service_type"]) == ["mongodb"] * 3
    assert list(dataset.runs()["loaded"]) == [3]


def _as_older(copy: Copy, change: Callable[[pa.Table, str], pa.Table]) -> None:
    """Let the published snapshot be one of an older schema: a column of two tables is changed in every file."""
    for table, column in (("connector_configuration", "tooltip"), ("sync_jobs", "worker_hostname")):
        for month in ("2026-08", "2026-09", "2026-10", None):
            copy.rewrite(table, partial(_changed, change, column), month)
    copy.change_manifest(
        lambda manifest: manifest["origin"].update(schema_version=0, schema_fingerprint="0123456789abcdef")
    )


def _changed(change: Callable[[pa.Table, str], pa.Table], column: str, rows: pa.Table) -> pa.Table:
    return change(rows, column)


def _without(rows: pa.Table, column: str) -> pa.Table:
    return rows.drop_columns([column])


def _drop_from_csv(copy: Copy, table: str, column: str) -> None:
    path = copy.csv(table)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    at = rows[0].index(column)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(row[:at] + row[at + 1 :] for row in rows)
    copy.adopt(path)


def test_columns_that_an_older_dataset_lacks_are_null(copy: Copy) -> None:
    _as_older(copy, _without)
    _drop_from_csv(copy, "connector_configuration", "tooltip")
    _drop_from_csv(copy, "sync_jobs", "worker_hostname")

    assert copy.verify().problems == ()
    dataset = open_dataset(copy.root)
    assert dataset["connector_configuration"]["tooltip"].isna().all()
    assert dataset["sync_jobs"]["worker_hostname"].isna().all()
    assert dataset["sync_jobs"].dtypes["worker_hostname"] == "string"
    assert dataset.read("sync_jobs", columns=["worker_hostname"], as_="arrow")["worker_hostname"].null_count == 24


def test_a_table_that_an_older_dataset_lacks_has_no_rows(copy: Copy) -> None:
    _as_older(copy, _without)
    copy.change_manifest(lambda manifest: manifest["tables"].pop("field_issues"))
    for path in (copy.snapshot / "field_issues").iterdir():
        path.unlink()
    (copy.snapshot / "field_issues").rmdir()
    copy.csv("field_issues").unlink()

    assert copy.verify().problems == ()
    assert len(open_dataset(copy.root)["field_issues"]) == 0


def test_types_of_an_older_dataset_are_those_of_today(copy: Copy) -> None:
    def change(rows: pa.Table, column: str) -> pa.Table:
        at = rows.schema.get_field_index(column)
        return rows.set_column(at, rows.schema.field(at).with_type(pa.int64()), pa.nulls(rows.num_rows, pa.int64()))

    _as_older(copy, change)

    assert {finding.kind for finding in copy.verify().problems} == {Kind.SCHEMA}
