"""Real programs on an S3 over loopback: killed by SIGKILL at a change, or two at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from commands import etl
from kills import changed, documents_before, killed_run, state_of
from stores import keys_below, objects_below, put_below

from etl.load.place import located

if TYPE_CHECKING:
    from pathlib import Path

    from benches import Bench, MakeBench

_ARGUMENTS = ["run", "jobs.txt", "-q", "--batch-size", "7", "--keep-snapshots", "1", "--keep-hours", "0",
              "--keep-runs", "2"]  # fmt: skip


def prepared(make: MakeBench, output: str) -> Bench:
    """A dataset, and a cluster that has changed since."""
    bench = make(documents_before())
    bench.env["ETL_OUTPUT"] = output
    assert bench.run().code == 0
    changed(bench.documents)
    (bench.folder / "jobs.txt").write_text("\n".join([*bench.documents, "job-gone"]))
    return bench


def run_in(bench: Bench, at: int, output: str, count: str = os.devnull) -> subprocess.CompletedProcess[str]:
    return killed_run(bench.folder, bench.sandbox, at, arguments=_ARGUMENTS, ETL_OUTPUT=output, KILLED_RUN_COUNT=count)


def survive(bench: Bench, objects: dict[str, bytes], at: int, output: str) -> tuple[Any, Any]:
    """Kill a run at a change; return what readers saw then, and after the next run."""
    root = located(output)
    put_below(root, objects)
    died = run_in(bench, at, output)
    assert died.returncode < 0, died.stderr
    seen = state_of(output)
    again = etl(*_ARGUMENTS[:1], str(bench.folder / "jobs.txt"), *_ARGUMENTS[2:], env=environment(bench, output))
    assert again.code == 0, f"change {at}: {again.err}"
    assert not [name for name in keys_below(root) if name.startswith("_staging/")]
    assert etl("verify", "--output", output, "--quiet").code == 0
    return seen, state_of(output)


def environment(bench: Bench, output: str) -> dict[str, str]:
    return {
        "ELASTICSEARCH_URL": bench.sandbox.url,
        "ELASTICSEARCH_API_KEY": bench.sandbox.api_key,
        "ETL_OUTPUT": output,
    }


@pytest.mark.slow
def test_a_killed_program_leaves_what_was_published_and_the_next_one_begins_at_once(
    make: MakeBench, output: str
) -> None:
    bench = prepared(make, output)
    before = state_of(output)
    seen, after = survive(bench, objects_below(located(output)), 40, output)
    assert seen == before
    assert after is not None
    assert len(after["sync_jobs"]) == 18


@pytest.mark.slow
def test_a_program_killed_at_many_changes_leaves_a_whole_state_and_the_next_one_ends_right(
    make: MakeBench, output: str, tmp_path: Path
) -> None:
    bench = prepared(make, output)
    before, objects = state_of(output), objects_below(located(output))
    count = tmp_path / "count"
    lives = run_in(bench, 0, output, str(count))
    assert lives.returncode == 0, lives.stderr
    after = state_of(output)
    assert before != after
    seen = []
    steps = int(count.read_text())
    for at in [*range(1, steps, 13), steps - 2, steps]:
        one, end = survive(bench, objects, at, output)
        assert one in (before, after)
        assert end == after
        seen.append(one == after)
    assert seen == sorted(seen)
    assert {*seen} == {True, False}


@pytest.mark.slow
def test_of_two_programs_at_once_one_publishes_and_nothing_is_lost(make: MakeBench, output: str) -> None:
    bench = prepared(make, output)
    for _ in range(3):
        bench.documents["job-01"]["error"] = f"{bench.documents['job-01'].get('error')}!"
        both = [
            subprocess.Popen(
                [sys.executable, "-m", "etl", *_ARGUMENTS, "--refresh"],
                cwd=bench.folder,
                env={**os.environ, **environment(bench, output)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ended = {program.communicate()[1]: program.returncode for program in both}
        assert 0 in ended.values(), ended
        assert {*ended.values()} <= {0, 75}, ended
    assert etl("verify", "--output", output, "--quiet").code == 0
    state = state_of(output)
    assert state is not None
    assert len(state["sync_jobs"]) == 18
