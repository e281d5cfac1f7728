"""Saved documents to tables: a run that was kept raw and is replayed gives the same dataset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from commands import etl
from documents import compact, job
from kills import state_of

from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


def test_a_run_kept_raw_and_replayed_gives_the_same_dataset(make: MakeBench, tmp_path: Path) -> None:
    bench = make({id_of(number): generate_job(1, number) for number in range(120)})
    kept = bench.run("--keep-raw", "--batch-size", "50")
    raw = bench.output / "runs" / kept.summary["run_id"] / "raw.ndjson.zst"

    again = etl("replay", str(raw), "--json", "--output", str(tmp_path / "again"), "--batch-size", "33")

    assert (again.code, again.summary["outcomes"]["loaded"]) == (0, 120)
    assert state_of(tmp_path / "again") == state_of(bench.output)
    assert oct(raw.stat().st_mode & 0o777) == "0o600"


def test_workers_stage_the_same_rows_and_keep_the_archive_in_order(tmp_path: Path) -> None:
    at = "2026-10-01T10:00:00Z"
    lines = [
        {
            "id": id_of(number),
            "fetched_at": at,
            "document": generate_job(1, number) | {"worker_hostname": f"h{turn}"},
        }
        for turn in range(3)
        for number in range(70)
    ]
    dump = tmp_path / "dump.ndjson"
    dump.write_bytes(b"\n".join(map(compact, lines)) + b"\n{broken\n")

    for workers in ("1", "2"):
        output = tmp_path / f"by-{workers}"
        arguments = ["--keep-raw", "--workers", workers, "--batch-size", "9"]
        ended = etl("replay", str(dump), "--json", "--output", str(output), *arguments)
        assert (ended.code, ended.summary["outcomes"]["loaded"], ended.summary["requested"]) == (3, 70, 71)
        assert "140 documents repeat a job; the one fetched last counts" in ended.summary["warnings"]
        (raw,) = output.glob("runs/*/raw.ndjson.zst")
        assert etl("replay", str(raw), "--output", str(output / "again")).code == 0

    jobs = pd.read_parquet(tmp_path / "by-1" / "latest" / "sync_jobs")
    assert set(jobs["worker_hostname"]) == {"h2"}
    states = [state_of(tmp_path / f"by-{workers}" / again) for workers in "12" for again in (".", "again")]
    assert states[1:] == states[:-1]


def test_the_newer_document_of_a_job_wins_wherever_it_stands(tmp_path: Path) -> None:
    old, new = job(id="a", status="in_progress"), job(id="a", status="completed")
    lines = [
        {"id": "a", "fetched_at": "2026-10-01T11:00:00Z", "document": new},
        {"id": "a", "fetched_at": "2026-10-01T10:00:00Z", "document": old},
        {"id": "b", "fetched_at": "2026-10-01T10:00:00Z", "document": job(id="b")},
        {"id": "a", "fetched_at": "2026-10-01T10:30:00Z", "document": old},
    ]
    (tmp_path / "dump.ndjson").write_bytes(b"\n".join(map(compact, lines)))

    for size in ("1", "2", "1000"):
        output = tmp_path / f"out-{size}"
        ended = etl("replay", str(tmp_path / "dump.ndjson"), "--json", "--output", str(output), "--batch-size", size)
        jobs = pd.read_parquet(output / "latest" / "sync_jobs")
        assert jobs.set_index("job_id")["status"].to_dict() == {"a": "completed", "b": "completed"}
        assert (ended.summary["requested"], ended.summary["outcomes"]["loaded"]) == (2, 2)
        assert "2 documents repeat a job; the one fetched last counts" in ended.summary["warnings"]


def test_a_broken_line_costs_that_line_alone_and_is_named_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "dump.ndjson").write_bytes(compact(job(id="a")) + b"\n{broken\n" + compact(job(id="b")) + b"\n[]\n{}\n")

    ended = etl("replay", str(tmp_path / "dump.ndjson"), "--json", "--output", str(tmp_path / "out"))

    assert (ended.code, ended.summary["outcomes"]["loaded"]) == (3, 2)
    outcomes = pd.read_parquet(tmp_path / "out" / "runs" / ended.summary["run_id"] / "outcomes.parquet")
    rejected = set(outcomes[outcomes["outcome"] == "rejected"]["id"].str.rpartition(":")[2])
    assert {"2", "5"} <= rejected
    assert len(outcomes) == ended.summary["requested"]
    assert f"; correct these documents and replay the file again ({tmp_path}/dump.ndjson:2: " in ended.err
    assert "failed.txt" not in ended.err
    assert ended.summary["failed_file"] is None
    failed = (tmp_path / "out" / "runs" / ended.summary["run_id"] / "failed.txt").read_text().splitlines()
    assert len(failed) == ended.summary["outcomes"]["rejected"]
    assert all(line.startswith(f"# {tmp_path}/dump.ndjson:") for line in failed)


def test_where_no_document_can_be_read_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "dump.ndjson").write_bytes(b"{broken\n")

    ended = etl("replay", str(tmp_path / "dump.ndjson"), "--output", str(tmp_path / "out"))

    assert ended.code == 4
    assert "no document could be read, nothing was published; correct these documents and replay the file" in ended.err
    assert "failed.txt" not in ended.err


def test_what_the_index_and_the_list_answered_is_read_from_standard_input(tmp_path: Path) -> None:
    hits = b"\n".join(
        compact({"_index": ".elastic-connectors-sync-jobs-v1", "_id": name, "_source": {"status": "completed"}})
        for name in ("a", "b")
    )
    listed = compact({"count": 1, "results": [job(id="c")]})

    ended = etl(
        "replay", "-", "--json", "--output", str(tmp_path / "out"), "--source", "uuid-1", stdin=hits + b"\n" + listed
    )

    assert ended.code == 0
    assert sorted(pd.read_parquet(tmp_path / "out" / "latest" / "sync_jobs")["job_id"]) == ["a", "b", "c"]
    manifest = json.loads((tmp_path / "out" / "latest" / "_manifest.json").read_text())
    assert manifest["origin"]["source"] == "uuid-1"


def test_no_secret_of_a_saved_document_reaches_a_file(tmp_path: Path) -> None:
    document = job(id="a", error="x S-replayed-1", connector={"configuration": {"pw": {"value": "S-replayed-1"}}})
    (tmp_path / "dump.json").write_text(json.dumps([document], indent=2))

    etl("replay", str(tmp_path / "dump.json"), "--keep-raw", "--output", str(tmp_path / "out"))

    cells = [str(pd.read_parquet(path).to_dict()) for path in (tmp_path / "out").rglob("*.parquet")]
    assert not any("S-replayed-1" in text for text in cells)
    assert any("[redacted]" in text for text in cells)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    ended = etl("replay", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out"))

    assert ended.code == 2
    assert "nowhere" in ended.err
