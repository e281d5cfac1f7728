"""What is said where a folder cannot be used: what is there, once, and what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from accounts import closed_to_this_account
from commands import etl
from documents import job
from examinations import detail, examined, of, states

import etl as package
from etl.errors import OutputError

if TYPE_CHECKING:
    from benches import Bench, MakeBench


@pytest.fixture(name="bench")
def _bench(make: MakeBench) -> Bench:
    bench = make({"a": job(id="a")})
    assert bench.run().code == 0
    return bench


def test_an_output_that_is_no_folder_is_called_that(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    (bench.folder / "file").write_text("")

    told = [
        bench.run("--output", str(bench.folder / "file" / "below")).err,
        bench.run("--output", "/dev/null").err,
        detail(examined(bench.sandbox.url, Path("/dev/null")), "output"),
    ]

    for said in told:
        assert "there is something that is no folder; choose another --output" in said


def test_where_this_account_may_not_write_an_export_does_not_ask_for_space(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()

    with closed_to_this_account(tmp_path / "closed"):
        ended = etl("export", str(tmp_path / "closed" / "new"), "--format", "csv", "--output", str(bench.output))

    assert ended.code == 74
    assert "Permission denied; give this account the right to write there, or name another folder" in ended.err
    assert "free space" not in ended.err


def test_a_lock_that_may_not_be_opened_is_named_once(bench: Bench) -> None:
    lock = bench.output / "_lock"

    with closed_to_this_account(lock):
        ended = bench.run()

    assert ended.code == 74
    assert f"{lock}: cannot be locked: Permission denied; check the permissions" in ended.err
    assert ended.err.count(str(lock)) == 1


@pytest.mark.parametrize("below", ["latest", "latest/sync_jobs", "snapshots"])
def test_who_opens_a_part_of_a_dataset_is_told_its_folder(bench: Bench, below: str) -> None:
    with pytest.raises(OutputError, match=f"lies in a dataset; name the folder of the dataset itself, {bench.output}$"):
        package.open_dataset(bench.output / below)
    assert f"itself, {bench.output}\n" in etl("verify", "--output", str(bench.output / below)).err


def test_a_dataset_is_a_dictionary_of_tables(bench: Bench) -> None:
    dataset = package.open_dataset(bench.output)

    assert tuple(dict(dataset)) == dataset.keys() == tuple(dataset)


def test_the_run_that_changed_a_dataset_last_has_checked_it_no_earlier(bench: Bench) -> None:
    seen = etl("inspect", "--json", "--output", str(bench.output)).summary

    assert seen["checked_at"] == seen["changed_at"]


def test_what_keeps_a_dataset_out_of_a_repository_is_no_stranger_in_it(bench: Bench) -> None:
    (bench.output / ".gitignore").write_text("*\n")

    assert etl("verify", "--json", "--output", str(bench.output)).summary["notes"] == []


def test_the_doctor_finds_a_clock_that_is_behind_what_is_published(bench: Bench) -> None:
    path = bench.output / "latest" / "_manifest.json"
    manifest = json.loads(path.read_text())
    manifest["created_at"] = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    path.write_text(json.dumps(manifest))

    ended = of(bench)

    assert (ended.code, states(ended)["dataset"]) == (5, "wrong")
    assert "which is in the future: set the clock of this machine by NTP" in detail(ended, "dataset")


def test_only_what_is_staged_is_said_to_stay_staged(make: MakeBench) -> None:
    bench = make({"a": job(id="a")}, has_index=False)

    ended = bench.run()

    assert ended.code == 69
    assert "nothing was published" in ended.err
    assert "stays staged" not in ended.err


def test_values_that_were_redacted_before_are_not_said_to_be_shown(make: MakeBench, tmp_path: Path) -> None:
    secret = {"password": {"value": "hunter2-hunter2"}}
    bench = make({"a": job(id="a", connector={"configuration": secret})})
    kept = bench.run("--keep-raw")
    raw = Path(kept.summary["output"]) / "runs" / kept.summary["run_id"] / "raw.ndjson.zst"

    told = etl("replay", str(raw), "--output", str(tmp_path / "again")).out

    assert "0 configuration values redacted beside those that the files hold redacted" in told
