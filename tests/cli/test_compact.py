"""`etl compact`: the same rows in as few files as hold them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

from commands import etl
from documents import job

from etl.dataset import open_dataset
from etl.load.build import Limits
from etl.load.lock import DatasetLock
from etl.load.reader import open_snapshot
from etl.load.storage import Storage
from etl.load.writer import Opening
from etl.pipeline import opening

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from benches import Bench, MakeBench


def many(make: MakeBench) -> Bench:
    """Five jobs in each of two months, and two undated ones."""
    documents = {
        f"job-{n}": job(id=f"job-{n}", created_at=None if n > 9 else f"2026-{9 + n % 2:02}-{n + 1:02}T00:00:00Z")
        for n in range(12)
    }
    return make(documents)


def publish_in_small_files(bench: Bench, *arguments: str) -> None:
    small = partial(Opening, limits=Limits(file_rows=2))
    with mock.patch.object(opening, "Opening", small):
        assert bench.run(*arguments).code == 0


def files(root: Path) -> dict[str, set[str]]:
    snapshot = open_snapshot(root)
    assert snapshot is not None
    return {name: {path.name for path in snapshot.table_files(name)} for name in snapshot.manifest.tables}


def rows(root: Path) -> dict[str, pd.DataFrame]:
    dataset = open_dataset(root)
    return {name: dataset[name] for name in dataset.tables}


def test_months_in_more_files_than_they_need_are_joined_and_the_rows_stay(make: MakeBench) -> None:
    bench = many(make)
    publish_in_small_files(bench, "--format", "parquet,csv", "--expose", "host")
    before, csv = rows(bench.output), (bench.output / "latest" / "sync_jobs.csv").read_bytes()
    assert len(files(bench.output)["sync_jobs"]) == 7

    ended = etl("compact", "--output", str(bench.output), "--json")

    assert ended.code == 0, ended.err
    assert len(files(bench.output)["sync_jobs"]) == 3
    figures = ended.summary["figures"]
    assert figures["files_after"] == sum(map(len, files(bench.output).values())) < figures["files_before"]
    after = rows(bench.output)
    assert all(before[name].equals(after[name]) for name in before)
    assert (bench.output / "latest" / "sync_jobs.csv").read_bytes() == csv
    assert etl("verify", "--output", str(bench.output)).code == 0


def test_only_months_with_something_to_join_are_written(make: MakeBench) -> None:
    bench = many(make)
    assert bench.run(ids=["job-1", "job-3", "job-5"]).code == 0  # October, in one file
    october = files(bench.output)["sync_jobs"]
    publish_in_small_files(bench, "--settle", "0s")

    assert etl("compact", "--output", str(bench.output)).code == 0
    joined = files(bench.output)["sync_jobs"]

    assert len(joined) == 3
    assert not october & joined  # the second run wrote October anew, for its new jobs
    again = etl("compact", "--output", str(bench.output))
    assert (again.code, files(bench.output)["sync_jobs"]) == (0, joined)
    assert "none to join: nothing has changed in" in again.out


def test_it_says_how_many_files_became_how_many(make: MakeBench) -> None:
    bench = many(make)
    publish_in_small_files(bench)
    before = sum(map(len, files(bench.output).values()))

    told = etl("compact", "--output", str(bench.output))

    after = sum(map(len, files(bench.output).values()))
    assert told.out == f"{before} files became {after}; published in {bench.output}/latest\n"
    assert etl("compact", "--output", str(bench.output), "-q").out == ""


def test_its_last_line_for_machines_has_its_figures(make: MakeBench) -> None:
    bench = many(make)
    bench.run()

    ended = etl("compact", "--output", str(bench.output), "--log-format", "json")

    last = json.loads(ended.err.splitlines()[-1])
    assert (last["event"]["action"], last["event"]["outcome"]) == ("run-ended", "success")
    assert set(last["etl"]["figures"]) == {"files_before", "files_after"}


def test_joining_files_is_no_check_of_the_cluster_and_leaves_its_watermark(make: MakeBench) -> None:
    bench = many(make)
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    small = partial(Opening, limits=Limits(file_rows=2))
    with mock.patch.object(opening, "Opening", small):
        assert etl("run", "--all", "--output", str(bench.output), "-q", env=env).code == 0
    before = etl("inspect", "--output", str(bench.output), "--json").summary
    marked = json.loads((bench.output / "latest" / "_manifest.json").read_text())["watermark"]

    assert etl("compact", "--output", str(bench.output), "-q").code == 0

    after = etl("inspect", "--output", str(bench.output), "--json").summary
    assert after["checked_at"] <= before["checked_at"] < after["changed_at"]
    assert json.loads((bench.output / "latest" / "_manifest.json").read_text())["watermark"] == marked is not None


def test_without_a_dataset_there_is_nothing_to_join(tmp_path: Path) -> None:
    ended = etl("compact", "--output", str(tmp_path / "none"))

    assert ended.code == 74
    assert f"{tmp_path}/none: no dataset is published here" in ended.err


def test_it_is_a_writer_like_any_other(make: MakeBench) -> None:
    bench = many(make)
    publish_in_small_files(bench)
    lock = DatasetLock.acquire(Storage(bench.output), run_id="20261124T000000Z-aaaaaa", now=datetime.now(UTC))

    locked = etl("compact", "--output", str(bench.output))
    lock.release()

    assert locked.code == 75
    assert etl("compact", "--output", str(bench.output), "-q").code == 0
