"""`etl inspect`, its comparison of two states, and the dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import etl
from documents import job

if TYPE_CHECKING:
    from pathlib import Path

    from benches import Bench, MakeBench


def test_it_shows_tables_times_freshness_runs_and_what_is_redacted(make: MakeBench) -> None:
    secret = {"password": {"value": "hunter2-hunter2"}, "port": {"value": 1}}
    bench = make({"a": job(id="a", connector={"configuration": secret}), "b": job(id="b", status="in_progress")})
    first = bench.run("--expose", "port")
    second = bench.run("--expose", "port", ids=["a", "b", "gone"])

    seen = etl("inspect", "--json", "--output", str(bench.output)).summary

    assert seen["snapshot"] == first.summary["run_id"]
    assert seen["checked_at"] > seen["changed_at"]
    assert (seen["oldest"], seen["newest"]) == ("2026-10-01T10:00:00Z", "2026-10-01T10:00:00Z")
    assert seen["statuses"] == {"completed": 1, "in_progress": 1}
    assert (seen["redacted"], seen["exposed"]) == ({"password": 1}, ["port"])
    assert {name: size["rows"] for name, size in seen["tables"].items()} == second.summary["rows"]
    assert [run["run_id"] for run in seen["runs"]] == [second.summary["run_id"], first.summary["run_id"]]
    assert seen["runs"][0]["outcomes"] == {"not_found": 1, "unchanged": 2}
    told = etl("inspect", "--output", str(bench.output)).out
    for part in (first.summary["run_id"], "password", "last check", "in_progress", "1 not_found, 2 unchanged"):
        assert part in told


def test_a_state_that_is_being_built_is_not_one_that_is_kept(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    run_id = bench.run().summary["run_id"]
    for name in (".20261124T000000Z-aaaaaa.tmp", "of somebody else"):
        (bench.output / "snapshots" / name).mkdir()

    assert etl("inspect", "--json", "--output", str(bench.output)).summary["snapshots"] == [run_id]


def test_without_a_dataset_it_says_how_to_make_one(tmp_path: Path) -> None:
    ended = etl("inspect", "--output", str(tmp_path))

    assert ended.code == 74
    assert "etl demo" in ended.err


@pytest.fixture(name="changed")
def _changed(make: MakeBench) -> Bench:
    undated = job(id="moves", status="pending")
    del undated["created_at"]
    bench = make({
        "same": job(id="same"),
        "ends": job(id="ends", status="in_progress"),
        "rules": job(id="rules", status="pending"),
        "moves": undated,
    })  # fmt: skip
    bench.run()
    rules = job(id="rules", status="pending")
    rules["connector"]["filtering"]["rules"] = []
    new: dict[str, Any] = {"ends": job(id="ends"), "rules": rules, "moves": job(id="moves", status="pending")}
    bench.documents.update(new, fresh=job(id="fresh", created_at="2024-01-01T00:00:00Z"))
    bench.run()
    return bench


def test_two_states_are_compared_job_by_job(changed: Bench) -> None:
    found = etl("inspect", "--json", "--diff", "previous", "latest", "--output", str(changed.output)).summary

    assert (found["added"], found["removed"]) == (["fresh"], [])
    assert found["changed"] == ["ends", "moves", "rules"]
    assert found["statuses"] == [{"before": "in_progress", "after": "completed", "jobs": 1}]
    assert found["rows"]["filtering_rules"] == {"before": 4, "after": 4}


def test_comparing_backwards_shows_what_was_added_as_removed(changed: Bench) -> None:
    found = etl("inspect", "--json", "--diff", "latest", "previous", "--output", str(changed.output)).summary

    assert (found["added"], found["removed"]) == ([], ["fresh"])


def test_a_state_equals_itself(changed: Bench) -> None:
    told = etl("inspect", "--diff", "latest", "latest", "--output", str(changed.output)).out

    assert [line.split()[1] for line in told.splitlines() if line.endswith("jobs")] == ["0", "0", "0"]


def test_an_unknown_state_is_named_with_those_that_there_are(changed: Bench) -> None:
    ended = etl("inspect", "--diff", "latest", "1999", "--output", str(changed.output))

    assert ended.code == 2
    assert "1999: no snapshot of that name" in ended.err
    assert "choose of latest, previous, 20" in ended.err
    nameless = etl("inspect", "--diff", "latest", "", "--output", str(changed.output))
    assert (nameless.code, "'': no snapshot of that name" in nameless.err) == (2, True)
    several = etl("inspect", "--diff", "latest", "20", "--output", str(changed.output))
    assert "several snapshots" in several.err


def test_a_first_state_has_no_previous_one_to_choose(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()

    ended = etl("inspect", "--diff", "previous", "latest", "--output", str(bench.output))

    assert ended.code == 2
    assert "previous: no snapshot of that name" in ended.err
    assert "choose of latest, 20" in ended.err


def test_a_format_that_was_added_is_part_of_what_lies_between_two_states(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    bench.run("--format", "csv")

    arguments = ["inspect", "--diff", "previous", "latest", "--output", str(bench.output)]
    assert "  formats  parquet -> parquet, csv\n" in etl(*arguments).out
    formats = {"before": ["parquet"], "after": ["parquet", "csv"]}
    assert etl(*arguments, "--json").summary["formats"] == formats


def test_a_dry_run_says_what_would_be_done_and_does_none_of_it(make: MakeBench) -> None:
    bench = make({"done": job(id="done"), "running": job(id="running", status="in_progress")})
    bench.run()
    bench.asked()
    for name in ("0", "1.tmp"):  # the second one does not exist yet
        batch = bench.output / "_staging" / "20261124T000000Z-aaaaaa" / name
        batch.mkdir(parents=True)
        (batch / "_batch.json").touch()
    before = sorted(bench.output.rglob("*"))

    planned = bench.run("--dry-run", "--batch-size", "1", ids=["done", "running", "new", ".."])

    assert planned.code == 0
    assert bench.asked() == {}
    assert sorted(bench.output.rglob("*")) == before
    expected = {
        "requested": 4, "invalid": 1, "settled": 1, "fetched": 2, "requests": 3, "batches": 2, "published": 2,
        "staged": 1,
    }  # fmt: skip
    assert planned.summary | expected == planned.summary


def test_a_dry_run_of_another_cluster_is_refused_as_the_run_would_be(make: MakeBench) -> None:
    make({"a": job(id="a")}, cluster_uuid="one").run()

    ended = make({"a": job(id="a")}, cluster_uuid="two").run("--dry-run")

    assert (ended.code, "choose another --output" in ended.err) == (2, True)
