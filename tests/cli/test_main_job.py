"""The main job from a jobs file to tables, over a real socket and real files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from commands import etl
from documents import FETCHED_AT, compact, job

import etl as package
from etl.errors import OutputError
from etl.extract.jobs_file import read_jobs
from etl.model import Document
from etl.sandbox.demo import demo_ids_text
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES
from etl.transform.tables import transform

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


NAMES = [table.name for table in TABLES]


def generated(count: int) -> dict[str, Any]:
    return {id_of(number): generate_job(1, number) for number in range(count)}


def test_all_tables_are_readable_by_plain_reads_and_equal_the_transformed_documents(make: MakeBench) -> None:
    documents = generated(300)
    bench = make(documents)

    ended = bench.run()

    assert (ended.code, ended.summary["outcomes"]["loaded"]) == (0, 300)
    raws = [Document(raw=compact({"id": i, **d}), fetched_at=FETCHED_AT, id=i) for i, d in documents.items()]
    expected = transform(raws).frames()
    for table in TABLES:
        folder = bench.output / "latest" / table.name
        plain = pd.read_parquet(folder)
        wanted = expected[table.name]
        assert dict(plain.dtypes) == dict(wanted.dtypes)
        keys = list(table.key)
        compared = [name for name in wanted.columns if name not in {"fetched_at", "ids", "messages"}]
        pd.testing.assert_frame_equal(
            plain.sort_values(keys, ignore_index=True)[compared], wanted.sort_values(keys, ignore_index=True)[compared]
        )
        by_duckdb = duckdb.read_parquet(f"{folder}/*.parquet")
        assert (by_duckdb.shape, by_duckdb.columns) == (wanted.shape, list(wanted.columns))
        assert pl.read_parquet(folder / "*.parquet").shape == wanted.shape


def test_every_file_of_a_table_has_one_identical_schema_and_an_empty_table_is_one_file(
    make: MakeBench,
) -> None:
    documents = {"a": job(id="a"), "b": job(id="b", created_at="2025-01-01T00:00:00Z"), "c": job(id="c")}
    del documents["c"]["created_at"]
    bench = make(documents)

    bench.run()

    for name in NAMES:
        files = sorted((bench.output / "latest" / name).iterdir())
        schemas = [pq.read_schema(file) for file in files]
        assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)
        assert schemas[0].equals(arrow_schema(name))
        assert schemas[0].metadata == arrow_schema(name).metadata
        rows = [pq.read_metadata(file).num_rows for file in files]
        assert rows == [0] if sum(rows) == 0 else 0 not in rows
    assert {file.name[:7] for file in (bench.output / "latest" / "sync_jobs").iterdir()} == {
        "2025-01", "2026-10", "undated",
    }  # fmt: skip


def test_every_requested_id_stands_once_in_the_outcomes(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")})

    ended = bench.run(ids=["a", "# a comment", "nowhere", "a", "..", "b # trailing"])

    outcomes = pd.read_parquet(bench.output / "runs" / ended.summary["run_id"] / "outcomes.parquet")
    found = {row.id: (row.outcome, row.line) for row in outcomes.itertuples()}
    assert found == {"a": ("loaded", 1), "nowhere": ("not_found", 3), "..": ("invalid", 5), "b": ("loaded", 6)}
    assert len(outcomes) == ended.summary["requested"] == sum(ended.summary["outcomes"].values())
    assert ended.code == 3


def test_the_record_of_a_run_says_how_long_each_stage_took(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    stages = [
        list(json.loads((bench.output / "runs" / run / "_manifest.json").read_text())["timings"])
        for run in [bench.run().summary["run_id"], bench.run().summary["run_id"]]
    ]

    assert stages == [["fetch", "plan", "build"], ["fetch", "plan"]]


def test_a_second_run_publishes_nothing_and_fetches_no_settled_job(make: MakeBench) -> None:
    running = job(id="running", status="in_progress", completed_at=None)
    bench = make({"done": job(id="done"), "running": running})
    first = bench.run()
    assert set(bench.asked()) == {"done", "running"}

    second = bench.run()

    assert set(bench.asked()) == {"running"}
    assert second.summary["outcomes"]["unchanged"] == 2
    assert (second.code, second.summary["snapshot"]) == (0, None)
    assert (bench.output / "latest").readlink().name == first.summary["snapshot"]


def test_refresh_fetches_settled_jobs_too(make: MakeBench) -> None:
    bench = make({"done": job(id="done")})
    bench.run()
    bench.asked()
    bench.documents["done"] = job(id="done", error="late news")

    ended = bench.run("--refresh")

    assert bench.asked() == {"done": 1}
    assert ended.summary["outcomes"]["loaded"] == 1
    assert pd.read_parquet(bench.output / "latest" / "sync_jobs")["error"].tolist() == ["late news"]


def test_a_job_that_finished_meanwhile_is_updated(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="in_progress", completed_at=None)})
    bench.run()
    bench.documents["a"] = job(id="a")

    ended = bench.run()

    assert ended.summary["outcomes"]["loaded"] == 1
    jobs = pd.read_parquet(bench.output / "latest" / "sync_jobs")
    assert jobs["status"].tolist() == ["completed"]
    assert jobs["completed_at"].tolist() == [pd.Timestamp("2026-10-01T10:05:01Z")]


def test_a_child_row_that_vanishes_from_a_new_version_vanishes_from_the_dataset(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="pending"), "b": job(id="b")})
    bench.run()
    changed = job(id="a", status="pending")
    changed["connector"]["filtering"]["rules"] = []
    bench.documents["a"] = changed

    bench.run()

    rules = pd.read_parquet(bench.output / "latest" / "filtering_rules")
    assert rules["job_id"].tolist() == ["b"]


def test_a_job_whose_month_changes_stands_once(make: MakeBench) -> None:
    undated = job(id="a", status="pending")
    del undated["created_at"]
    bench = make({"a": undated})
    bench.run()
    assert pd.read_parquet(bench.output / "latest" / "sync_jobs")["created_month"].isna().all()
    bench.documents["a"] = job(id="a", status="pending")

    bench.run()

    for name in ("sync_jobs", "connectors", "filtering", "filtering_rules"):
        assert pd.read_parquet(bench.output / "latest" / name)["created_month"].tolist() == ["2026-10"]


def test_a_vanished_job_keeps_its_row_and_says_since_when(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="in_progress"), "b": job(id="b", status="in_progress")})
    bench.run()
    del bench.documents["a"]

    ended = bench.run(ids=["a", "b"])

    assert ended.summary["outcomes"] | {"not_found": 1} == ended.summary["outcomes"]
    jobs = pd.read_parquet(bench.output / "latest" / "sync_jobs").set_index("job_id")
    assert jobs["not_found_at"].notna().to_dict() == {"a": True, "b": False}
    again = bench.run(ids=["a", "b"])
    assert again.summary["snapshot"] is None


def test_a_job_found_unchanged_after_it_settled_is_not_fetched_for_ever(make: MakeBench) -> None:
    # Its row keeps the time of first receipt, shortly after its end; the later fetch settles it all the same.
    now = datetime.now(UTC).isoformat()
    bench = make({"a": job(id="a", completed_at=now, last_seen=now)})
    bench.run()
    bench.run("--settle", "0s")
    bench.asked()

    ended = bench.run("--settle", "0s")

    assert bench.asked() == {}
    assert ended.summary["outcomes"]["unchanged"] == 1


def test_ids_come_from_standard_input_too(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}

    ended = etl("run", "-", "--json", "--output", str(bench.output), env=env, stdin=b"\xef\xbb\xbfa\r\n")

    assert ended.summary["outcomes"]["loaded"] == 1


def test_an_odd_id_is_one_path_segment(make: MakeBench) -> None:
    odd = ["a/b", "a?b#c", "%2e%2e", "ü ö", "007", "-x", "a&b=c", "\\", "*", "x" * 512]
    bench = make({name: job(id=name) for name in odd})

    ended = bench.run()

    assert ended.code == 0
    assert sorted(pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"]) == sorted(odd)


def test_the_notebook_read_is_pinned_to_one_state(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="in_progress")})
    bench.run()
    dataset = package.open_dataset(bench.output)
    bench.documents["a"] = job(id="a")
    bench.run()

    assert dataset["sync_jobs"]["status"].tolist() == ["in_progress"]
    assert package.open_dataset(bench.output)["sync_jobs"]["status"].tolist() == ["completed"]
    for name in NAMES:
        fresh = package.open_dataset(bench.output)[name]
        assert dict(fresh.dtypes) == dict(pd.read_parquet(bench.output / "latest" / name).dtypes)


def test_opening_no_dataset_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="etl demo"):
        package.open_dataset(tmp_path)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import etl, sys; print({'pandas', 'pyarrow', 'requests', 'click'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_demo_works_without_any_setting_and_a_real_run_replaces_it(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    proxy = {"HTTP_PROXY": "http://127.0.0.1:1", "ELASTICSEARCH_URL": "https://nowhere.invalid"}

    demo = etl("demo", "--json", "--output", str(bench.output), env=proxy)
    real = bench.run()

    asked = read_jobs(io.BytesIO(demo_ids_text().encode())).requested
    assert (demo.code, demo.summary["requested"]) == (0, len(asked))
    assert demo.summary["outcomes"]["loaded"] == 22
    assert real.summary["rows"]["sync_jobs"] == 1
    assert "the demo's data were replaced" in real.summary["warnings"]
    again = etl("demo", "--output", str(bench.output))
    assert again.code == 2
    assert "choose another --output" in again.err


def test_the_demo_with_faults_ends_well(tmp_path: Path) -> None:
    ended = etl("demo", "--faults", "--jobs", "40", "--json", "--output", str(tmp_path / "out"))

    assert (ended.code, ended.summary["outcomes"]["loaded"]) == (0, 40)


def test_a_staged_batch_that_cannot_be_read_is_dropped_and_told_of(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    torn = bench.output / "_staging" / "20261124T000000Z-aaaaaa" / "0"
    torn.mkdir(parents=True)
    (torn / "_batch.json").write_text("{")

    ended = bench.run()

    assert ended.code == 0
    assert any(
        warning.startswith("1 batches of runs that died could not be read") for warning in ended.summary["warnings"]
    )
    assert not torn.exists()


def test_records_and_staged_batches_are_private_and_the_mode_of_the_tables_can_be_chosen(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b", status="in_progress")})

    assert bench.run("--output-mode", "0640").code == 0

    permissions = {
        str(path.relative_to(bench.output)).split("/")[0]: oct(path.stat().st_mode & 0o777)
        for folder in ("runs", "snapshots")
        for path in (bench.output / folder).rglob("*")
        if path.is_file()
    }
    assert permissions == {"runs": "0o600", "snapshots": "0o640"}
    folders = {oct(path.stat().st_mode & 0o777) for path in (bench.output / "snapshots").rglob("*") if path.is_dir()}
    assert folders == {"0o750"}
    assert oct((bench.output / "runs").stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("wrong", ["rw", "0999", "0400", "01777"])
def test_what_are_no_permissions_is_refused(make: MakeBench, wrong: str) -> None:
    assert make({}).run("--output-mode", wrong).code == 2
