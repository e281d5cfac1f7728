"""One test a row of the outcomes: what each means, what it leaves behind, and that the sum holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from documents import compact, job

from etl.model import Outcome
from etl.sandbox.faults import Faults

if TYPE_CHECKING:
    from benches import Bench, MakeBench
    from commands import Ended


def outcome_of(bench: Bench, ended: Ended, job_id: str) -> dict[str, Any]:
    """The row of an id; the sum over all outcomes is checked on the way."""
    outcomes = pd.read_parquet(bench.output / "runs" / ended.summary["run_id"] / "outcomes.parquet")
    counted = outcomes["outcome"].value_counts().to_dict()
    told = {name: count for name, count in ended.summary["outcomes"].items() if count}
    assert counted == told
    assert len(outcomes) == ended.summary["requested"]
    (row,) = outcomes[outcomes["id"] == job_id].to_dict("records")
    return {str(name): value for name, value in row.items()}


def published_ids(bench: Bench) -> list[str]:
    return sorted(pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"])


def test_loaded_rows_are_new_or_changed_and_published(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    row = outcome_of(bench, bench.run(), "a")

    assert (row["outcome"], row["http_status"], row["attempts"]) == ("loaded", 200, 1)
    assert published_ids(bench) == ["a"]


def test_unchanged_without_a_fetch_is_published_and_settled(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()

    row = outcome_of(bench, bench.run(), "a")

    assert (row["outcome"], row["attempts"]) == ("unchanged", 0)
    assert pd.isna(row["http_status"])


def test_unchanged_after_a_fetch_has_rows_equal_to_the_published_ones(make: MakeBench) -> None:
    bench = make({"a": job(id="a", status="pending")})
    bench.run()

    row = outcome_of(bench, bench.run(), "a")

    assert (row["outcome"], row["http_status"], row["attempts"]) == ("unchanged", 200, 1)


def test_not_found_is_a_404_with_the_envelope_of_a_missing_document(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    row = outcome_of(bench, bench.run(ids=["a", "gone"]), "gone")

    assert (row["outcome"], row["http_status"]) == ("not_found", 404)


def test_failed_has_no_usable_answer_after_all_attempts(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")}, faults=Faults(always_fail=frozenset({"b"})))
    ended = bench.run("--max-attempts", "2")

    row = outcome_of(bench, ended, "b")

    assert (row["outcome"], row["http_status"], row["attempts"]) == ("failed", 503, 2)
    assert row["reason"].startswith("503: ")
    assert published_ids(bench) == ["a"]


def test_rejected_is_a_200_that_is_no_sync_job_or_another_ids(make: MakeBench) -> None:
    documents = {"a": job(id="a"), "list": b'{"count":0,"results":[]}', "other": compact(job(id="someone-else"))}
    bench = make(documents)
    ended = bench.run("--max-attempts", "1")

    for name in ("list", "other"):
        row = outcome_of(bench, ended, name)
        assert (row["outcome"], row["http_status"]) == ("rejected", 200)
    run = bench.output / "runs" / ended.summary["run_id"]
    kept = pd.read_json(run / "rejected.ndjson", lines=True)
    assert sorted(kept["id"]) == ["list", "other"]
    failed = (run / "failed.txt").read_text()
    assert {line.partition(" # ")[0] for line in failed.splitlines()} == {"list", "other"}
    assert published_ids(bench) == ["a"]


def test_invalid_is_no_id_and_keeps_its_line(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    row = outcome_of(bench, bench.run(ids=["a", "x" * 513]), "x" * 513)

    assert (row["outcome"], row["line"], row["attempts"]) == ("invalid", 2, 0)


def test_failed_txt_is_a_jobs_file_for_the_next_run(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")}, faults=Faults(always_fail=frozenset({"b"})))
    first = bench.run("--max-attempts", "1")
    failed = bench.folder / "failed.txt"
    failed.write_bytes((bench.output / "runs" / first.summary["run_id"] / "failed.txt").read_bytes())

    again = bench.run("--max-attempts", "1", ids=failed.read_text().splitlines())

    assert again.summary["requested"] == 1
    assert outcome_of(bench, again, "b")["outcome"] == "failed"


def test_every_outcome_has_a_test_here() -> None:
    tests = [name for name in globals() if name.startswith("test_")]

    assert all(any(name.startswith(f"test_{outcome.value}_") for name in tests) for outcome in Outcome)
