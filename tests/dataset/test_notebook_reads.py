"""What an analyst does with an opened dataset."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from documents import job

import etl
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from benches import MakeBench

VIEWS = Path(__file__).parents[2] / "docs" / "views.sql"


@pytest.fixture(name="opened")
def _opened(published: Path) -> etl.Dataset:
    return etl.open_dataset(published)


def test_tables_read_as_plain_reads_do(opened: etl.Dataset) -> None:
    assert list(opened) == [table.name for table in TABLES]
    for name in opened:
        plain = pd.read_parquet(opened._snapshot.folder / name)
        pd.testing.assert_frame_equal(opened[name], plain)
        assert len(opened[name]) == opened.rows(name)


def test_columns_and_conditions_narrow_a_read(opened: etl.Dataset) -> None:
    errors = opened.read("sync_jobs", columns=["error", "job_id"], filters=[("status", "==", "error")])

    everything = opened["sync_jobs"]
    expected = everything[everything["status"] == "error"][["error", "job_id"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(errors, expected)
    assert len(errors) > 0


@pytest.mark.parametrize(
    "since",
    ["2025-06-01T02:00:00+02:00", "2025-06-01", datetime(2025, 6, 1, tzinfo=UTC), pd.Timestamp("2025-06-01", tz="UTC")],
)
def test_a_time_may_be_given_in_any_common_form(opened: etl.Dataset, since: Any) -> None:
    recent = opened.read("sync_jobs", filters=[("created_at", ">=", since), ("status", "in", ["completed"])])

    everything = opened["sync_jobs"]
    mask = (everything["created_at"] >= pd.Timestamp("2025-06-01", tz="UTC")) & (everything["status"] == "completed")
    assert recent["job_id"].tolist() == everything[mask]["job_id"].tolist()


def test_a_read_as_arrow_has_the_exact_schema(opened: etl.Dataset) -> None:
    table = opened.read("connectors", columns=["job_id", "pipeline_run_ml_inference"], as_="arrow")

    assert table.schema.types == [pa.string(), pa.bool_()]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"table": "nothing"}, KeyError, "choose one of sync_jobs"),
        ({"table": "sync_jobs", "columns": ["nix"]}, KeyError, "no column 'nix' in sync_jobs"),
        ({"table": "sync_jobs", "filters": [("nix", "==", 1)]}, KeyError, "no column 'nix'"),
        ({"table": "sync_jobs", "filters": [("status", "~", "x")]}, ValueError, "~"),
        ({"table": "sync_jobs", "filters": [("indexed_document_count", "==", "x")]}, ValueError, "filters"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    opened: etl.Dataset, wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        opened.read(**wrong)


def test_a_description_counts_values_and_says_what_columns_mean(opened: etl.Dataset) -> None:
    described = opened.describe("sync_jobs")

    assert described.loc["job_id", "values"] == 250
    assert described.loc["indexed_document_volume", "unit"] == "MiB (bytes before 8.8)"
    assert described.loc["error", "values"] == opened["sync_jobs"]["error"].notna().sum()


def test_runs_and_issues_are_frames(opened: etl.Dataset) -> None:
    runs = opened.runs()

    assert runs[["state", "exit_code", "loaded"]].to_numpy().tolist() == [["published", 0, 250]]
    assert str(runs["started_at"].dtype) == "datetime64[us, UTC]"
    assert opened.issues()["column_name"].notna().any()


def test_jobs_are_joined_with_their_connectors(make: MakeBench) -> None:
    documents = {
        "done": job(id="done"),
        "canceled": job(id="canceled", status="canceled", completed_at=None, canceled_at="2026-10-01T11:00:00Z"),
        "waiting": job(id="waiting", status="pending", started_at=None, completed_at=None),
        "odd": job(id="odd", status=None, connector={"id": "conn-2"}, created_at=None),
    }
    bench = make(documents)
    bench.run()

    jobs = etl.open_dataset(bench.output).jobs().set_index("job_id")

    assert jobs["is_final"].to_dict() == {"done": True, "canceled": True, "waiting": False, "odd": False}
    assert jobs["duration_s"]["done"] == pytest.approx(295.999999)
    assert jobs["ended_at"]["canceled"] == pd.Timestamp("2026-10-01T11:00:00Z")
    assert jobs["queue_s"]["done"] == pytest.approx(5.000001)
    assert pd.isna(jobs["duration_s"]["waiting"])
    assert set(jobs["service_type"]) == {"mongodb"}
    latest = etl.open_dataset(bench.output).latest_jobs()
    assert latest[["connector_id", "job_id"]].to_numpy().tolist() == [["conn-1", "waiting"], ["conn-2", "odd"]]


def test_a_volume_that_only_bytes_explain_is_left_out_of_volume_mib(make: MakeBench) -> None:
    volumes = {
        "largest_in_mib": (1000, 10),
        "in_bytes": (1001, 10),
        "without_documents": (1, 0),
        "nothing": (0, 0),
        "negative": (-1, 10),
        "negative_documents": (1, -10),
        "unknown_documents": (7, None),
        "unknown": (None, 10),
        "most_documents": (2**63 - 1, 2**63 - 1),
    }
    documents = {
        id_: job(id=id_, indexed_document_volume=volume, indexed_document_count=count)
        for id_, (volume, count) in volumes.items()
    }
    bench = make(documents)
    bench.run()

    jobs = etl.open_dataset(bench.output).jobs().set_index("job_id")

    known = {"largest_in_mib": 1000, "nothing": 0, "most_documents": 2**63 - 1}
    assert jobs["volume_mib"].dropna().to_dict() == known
    assert jobs["volume_mib"].dtype == "Int64"
    with duckdb.connect() as database:
        database.execute(VIEWS.read_text().replace("'output/", f"'{bench.output}/"))
        found = database.query("SELECT job_id, volume_mib FROM jobs WHERE volume_mib IS NOT NULL").fetchall()
    assert dict(found) == known


def test_the_views_in_sql_say_the_same_as_the_joins_in_python(
    opened: etl.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(opened._root.parent)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(VIEWS.read_text())
        for name, joined in (("jobs", opened.jobs()), ("latest_jobs", opened.latest_jobs())):
            found = database.query(f"SELECT * FROM {name} ORDER BY job_id").to_arrow_table().to_pandas()
            expected = joined.sort_values("job_id", ignore_index=True)
            assert list(found.columns) == list(expected.columns)
            for column in expected.columns:
                left, right = found[column], expected[column]
                assert left.isna().tolist() == right.isna().tolist(), column
                if column in {"duration_s", "queue_s"}:
                    assert left.dropna().tolist() == pytest.approx(right.dropna().tolist(), abs=1e-6)
                else:
                    assert left.dropna().tolist() == right.dropna().tolist(), column


def test_the_dataset_says_what_it_is(opened: etl.Dataset) -> None:
    assert "sync_jobs" in repr(opened)
    assert "250 rows" in repr(opened)
    assert "<td>250</td>" in opened._repr_html_()
    assert opened.source in opened._repr_html_()
    assert "sync_jobs" in opened
    assert len(opened) == 7
    assert opened._ipython_key_completions_() == list(opened.tables)
    assert opened.published_at.tzinfo is not None
