"""What an analyst sees, whose account is not the one that runs etl: all that is published, no record of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from accounts import closed_to_this_account
from commands import etl
from documents import job

import etl as package
from etl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benches import Bench, MakeBench

SAID = "the records of runs are private to the account that runs etl"


@pytest.fixture(name="foreign")
def _foreign(make: MakeBench) -> Iterator[Bench]:
    bench = make({"a": job(id="a"), "b": job(id="b", status="in_progress")})
    bench.run()
    bench.run()
    with closed_to_this_account(bench.output / "runs", bench.output / "_staging"):
        yield bench


def test_inspect_shows_the_tables_and_says_why_there_are_no_runs(foreign: Bench) -> None:
    told = etl("inspect", "--output", str(foreign.output))

    assert told.code == 0
    assert f"note: {foreign.output}/runs: {SAID}" in told.out
    seen = etl("inspect", "--json", "--output", str(foreign.output)).summary
    assert (seen["tables"]["sync_jobs"]["rows"], seen["runs"], len(seen["notes"])) == (2, [], 1)


def test_a_report_is_written_and_says_why_there_are_no_runs(foreign: Bench) -> None:
    page = foreign.folder / "report.html"

    ended = etl("report", "--output", str(foreign.output), "--to", str(page))

    assert ended.code == 0
    assert SAID in page.read_text()


def test_verify_checks_what_is_published_and_notes_what_it_may_not_look_at(foreign: Bench) -> None:
    ended = etl("verify", "--json", "--output", str(foreign.output))

    assert ended.code == 0
    found = json.loads(ended.out)
    assert [(note["kind"], note["path"]) for note in found["notes"]] == [("private", "runs"), ("private", "_staging")]
    assert found["counts"]["rows"] > 0


def test_a_dry_run_and_a_run_end_in_74_and_say_whose_the_records_are(foreign: Bench) -> None:
    for arguments in (["--dry-run"], []):
        ended = foreign.run(*arguments)
        assert ended.code == 74
        assert SAID in ended.err


def test_a_notebook_reads_the_tables_and_is_told_why_there_are_no_runs(foreign: Bench) -> None:
    dataset = package.open_dataset(foreign.output)

    assert len(dataset["sync_jobs"]) == 2
    with pytest.raises(OutputError, match=SAID):
        dataset.runs()


def test_the_folder_of_one_run_that_is_private_is_as_good_as_all(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    run_id = bench.run().summary["run_id"]

    with closed_to_this_account(bench.output / "runs" / run_id):
        seen = etl("inspect", "--json", "--output", str(bench.output))
        ended = etl("verify", "--json", "--output", str(bench.output))

    assert SAID in seen.summary["notes"][0]
    assert (ended.code, [note["kind"] for note in ended.summary["notes"]]) == (0, ["private"])
