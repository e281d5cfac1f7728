"""The command line on an S3 over loopback: every command that writes or reads a dataset."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

import duckdb
import pandas as pd
import pytest
from commands import etl
from documents import job
from stores import SECRET, fresh_stores, keys_below, objects_below

import etl as package
from etl.load.build import Limits
from etl.load.reader import published_snapshot
from etl.load.writer import Opening
from etl.pipeline import opening
from tests.stores.conftest import history

if TYPE_CHECKING:
    from pathlib import Path

    from benches import Bench
    from stores import S3Server


def rows_of(root: Path) -> dict[str, pd.DataFrame]:
    dataset = package.open_dataset(str(root))
    return dict(dataset)


def test_a_run_publishes_a_second_one_does_not_and_what_stays_is_copied_by_the_store(
    bench: Bench, root: Path, s3: S3Server
) -> None:
    first = bench.run("--keep-raw", "--output-mode", "0640")

    assert [warning for warning in first.summary["warnings"] if "--output-mode has no effect" in warning]
    assert (first.code, first.summary["outcomes"]["loaded"]) == (0, 12), first.err
    assert first.summary["output"] == str(root)
    pointer = json.loads(objects_below(root)["_latest.json"])
    assert pointer == {"snapshot": f"snapshots/{first.summary['run_id']}"}
    before, snapshot = objects_below(root), published_snapshot(root)
    assert not [name for name in before if name.startswith("_staging/") or ".tmp" in name]

    second = bench.run()

    assert (second.code, second.summary["snapshot"]) == (0, None), second.err
    after = objects_below(root)
    changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    assert {name.split("/")[0] for name in changed} == {"_lock", "runs"}

    # A job more in one month: the files of the others are never fetched.
    bench.documents["late"] = job(id="late", created_at="2026-09-20T00:00:00Z")
    s3.asked()

    third = bench.run()

    assert (third.code, third.summary["outcomes"]["loaded"]) == (0, 1), third.err
    latest = published_snapshot(root)
    kept = {entry.path for entry in latest.entries("connectors") if snapshot.run_id in entry.path}
    assert {path[:18] for path in kept} == {"connectors/2026-07", "connectors/2026-08"}
    requests = s3.asked()
    copied = {request.key for request in requests if request.copies}
    name = root.name
    assert {f"{name}/snapshots/{latest.run_id}/{path}" for path in kept} <= copied
    fetched = {request.key for request in requests if request.method == "GET"}
    assert not fetched & {f"{name}/snapshots/{run}/{path}" for path in kept for run in (snapshot.run_id, latest.run_id)}
    assert etl("verify", "--output", str(root)).code == 0


@pytest.mark.parametrize("arguments", [["inspect"], ["verify"], ["compact"], ["run", "-"]], ids=" ".join)
def test_74_there_is_no_such_bucket(bench: Bench, arguments: list[str]) -> None:
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    ended = etl(*arguments, "--output", "s3://no-such-bucket/data", env=env, stdin=b"job-00")
    assert (ended.code, "there is no such bucket" in ended.err) == (74, True), ended.err


@pytest.mark.slow
def test_every_command_and_plain_readers_read_what_stands_there(bench: Bench, root: Path, tmp_path: Path) -> None:
    assert bench.run("--format", "parquet,csv", "--keep-raw").code == 0
    output = str(root)

    verified = etl("verify", "--output", output, "--all", "--json")
    inspected = etl("inspect", "--output", output, "--json")
    exported = etl("export", str(tmp_path / "out"), "--format", "csv", "--output", output)
    reported = etl("report", "--to", str(tmp_path / "page.html"), "--output", output)
    joined = etl("compact", "--output", output, "--json")
    doctor = etl("doctor", "--output", output, "--json", env={"ELASTICSEARCH_URL": bench.sandbox.url})
    rehearsed = bench.run("--dry-run")

    assert (verified.code, verified.summary["findings"], verified.summary["notes"]) == (0, [], [])
    assert verified.summary["folder"] == output
    assert (inspected.code, inspected.summary["tables"]["sync_jobs"]["rows"]) == (0, 12)
    assert len(inspected.summary["runs"]) == 1
    assert (exported.code, (tmp_path / "out" / "sync_jobs.csv").read_text().count("\n")) == (0, 13)
    assert (reported.code, (tmp_path / "page.html").stat().st_size > 1_000_000) == (0, True)
    assert (joined.code, joined.summary["snapshot"]) == (0, None)
    checks = {check["check"]: check for check in doctor.summary["checks"]}
    assert {checks[name]["state"] for name in ("output", "dataset", "space", "lock")} == {"ok"}
    assert "looks at conditions" in checks["output"]["detail"]
    assert (rehearsed.code, rehearsed.summary["published"]) == (0, 12)

    # The manifest names the files for plain readers.
    exact = rows_of(root)["sync_jobs"]
    snapshot = published_snapshot(root)
    files = [str(path) for path in snapshot.table_files("sync_jobs")]

    by_pandas = pd.concat(pd.read_parquet(file) for file in files)
    by_folder = pd.read_parquet(f"{snapshot.folder}/sync_jobs/")
    with duckdb.connect() as connection:
        import fsspec  # noqa: PLC0415 - as an analyst does

        connection.register_filesystem(fsspec.filesystem("s3"))
        counted = connection.execute("select count(distinct job_id) from read_parquet($1)", [files]).fetchone()

    assert by_pandas.reset_index(drop=True).equals(exact)
    assert by_folder.sort_values("job_id", ignore_index=True).equals(exact.sort_values("job_id", ignore_index=True))
    assert counted == (12,)


@pytest.mark.slow
def test_saved_documents_are_replayed_into_a_bucket(bench: Bench, root: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.ndjson"
    saved.write_text("\n".join(map(json.dumps, bench.documents.values())))

    ended = etl("replay", str(saved), "--output", str(root), "--source", "cluster", "--json")

    assert (ended.code, ended.summary["rows"]["sync_jobs"]) == (0, 12), ended.err
    assert etl("verify", "--output", str(root)).code == 0


@pytest.mark.slow
def test_what_failed_is_tried_again_out_of_the_bucket(bench: Bench) -> None:
    bench.documents["broken"] = {"id": "another"}
    failed = bench.run("--max-attempts", "1", ids=[*history(), "broken"])
    assert failed.code == 3, failed.err
    bench.documents["broken"] = job(id="broken")

    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key, **bench.env}
    again = etl("run", failed.summary["failed_file"], "--json", env=env)

    assert (again.code, again.summary["outcomes"]["loaded"]) == (0, 1), again.err


@pytest.mark.slow
def test_a_whole_cluster_is_walked_into_a_bucket_and_files_are_joined_there(bench: Bench, root: Path) -> None:
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key, **bench.env}
    small = partial(Opening, limits=Limits(file_rows=2))
    with mock.patch.object(opening, "Opening", small):
        first = etl("run", "--all", "--json", env=env)
    assert first.code == 0, first.err
    before = rows_of(root)

    joined = etl("compact", "--output", str(root), "--json")
    again = etl("run", "--all", "--json", env=env)

    assert (joined.code, again.code) == (0, 0), joined.err
    assert joined.summary["figures"]["files_after"] < joined.summary["figures"]["files_before"]
    after = rows_of(root)
    assert all(before[name].equals(after[name]) for name in before)
    assert again.summary["snapshot"] is None


@pytest.mark.slow
def test_workers_stage_into_the_bucket_by_themselves(bench: Bench, root: Path) -> None:
    ended = bench.run("--workers", "2", "--batch-size", "3")

    assert (ended.code, ended.summary["rows"]["sync_jobs"]) == (0, 12), ended.err
    assert etl("verify", "--output", str(root)).code == 0
    assert not [name for name in keys_below(root) if name.startswith("_staging/")]


@pytest.mark.slow
def test_no_line_of_the_libraries_log_shows_what_opens_the_store(
    bench: Bench, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    del s3
    monkeypatch.setenv("AWS_SESSION_TOKEN", "planted/session+token/of+the+store==")
    with fresh_stores():
        ended = bench.run("-vv")
    assert (ended.code, "PutObject" in ended.err) == (0, True)
    assert SECRET not in ended.err
    assert "planted/session+token" not in ended.err
