"""A dataset in the memory of the program, as in a notebook or a test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from commands import etl
from documents import job

import etl as package
from etl.errors import OutputError, UsageError
from etl.load.place import located, storage_of
from etl.settings import extras

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


def test_a_run_and_its_readers_share_the_memory_of_the_program(make: MakeBench, tmp_path: Path) -> None:
    bench = make({f"job-{n}": job(id=f"job-{n}") for n in range(9)})
    bench.env["ETL_OUTPUT"] = "memory://notebook/of/mine"

    ended = bench.run("--workers", "3", "--batch-size", "2")

    assert (ended.code, ended.summary["rows"]["sync_jobs"]) == (0, 9), ended.err
    dataset = package.open_dataset("memory://notebook/of/mine")
    plain = pd.read_parquet(f"memory://notebook/of/mine/snapshots/{dataset.run_id}/sync_jobs")
    assert plain.equals(dataset["sync_jobs"])
    assert len(dataset.runs()) == 1
    assert "memory://notebook/of/mine" in repr(dataset)
    assert etl("verify", "--output", "memory://notebook/of/mine").code == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "jobs.txt"]


def test_documents_are_replayed_into_it_whatever_their_number(tmp_path: Path) -> None:
    file = tmp_path / "saved.ndjson"
    file.write_text("".join(json.dumps(job(id=f"job-{n}")) + "\n" for n in range(40)))
    ended = etl("replay", str(file), "--batch-size", "2", "--output", "memory://replayed", "--workers", "2", "--json")
    assert (ended.code, ended.summary["rows"]["sync_jobs"]) == (0, 40), ended.err


def test_a_batch_that_is_not_there_cannot_be_committed() -> None:
    root = located("memory://nothing")
    with pytest.raises(OutputError, match="cannot rename: no such object"):
        storage_of(root).rename(root / "0.tmp", root / "0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://bucket/x", "does not know"),
        ("s3://", "no name of a bucket"),
        ("s3:///x", "no name of a bucket"),
        ("s3://AKIA:secret@bucket/x", "no name of a bucket"),
        ("s3://bucket/a//b", "no usable prefix"),
        ("s3://bucket/../b", "no usable prefix"),
        ("s3://bucket/a\nb", "no usable prefix"),
        (f"s3://bucket/{'x' * 800}", "no usable prefix"),
    ],
)
def test_what_is_no_address_of_a_dataset_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        package.open_dataset(text)
    assert "secret" not in str(refusal.value)


def test_addresses_are_compared_by_what_they_name() -> None:
    one = located("memory://b/a/")
    assert {one, located("MEMORY://b/a")} == {one}
    assert one != located("memory://b/a2")
    assert sorted([one / "b", one / "a"]) == [one / "a", one / "b"]
    assert (one / "x" / "y").relative_to(one).as_posix() == "x/y"
    assert (str(one.parent), str(one.parent.parent)) == ("memory://b", "memory://b")


def test_2_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    ended = etl("inspect", "--output", "s3://bucket/x")
    said = " ".join(ended.err.split())
    assert (ended.code, "s3:// needs fsspec and s3fs: install with" in said, "-e '.[s3]'" in said) == (2, True, True)
