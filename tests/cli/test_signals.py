"""A signal ends a run in order: what was fetched stays staged, and the next run adopts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from documents import job

from etl.errors import ExitCode
from etl.extract.jobs_file import JobsFile
from etl.model import RequestedId
from etl.pipeline.run import run
from etl.pipeline.stop import Stop, StopCause
from etl.sandbox.faults import Faults
from etl.settings import ConnectionFlags, RunSettings, connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benches import Bench, MakeBench

    from etl.pipeline.summary import RunSummary

IDS = [f"job-{number:03}" for number in range(60)]
PATIENCE_S = 60.0  # only a test that fails waits as long


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_order_and_the_next_one_adopts(
    make: MakeBench, number: signal.Signals, code: int
) -> None:
    documents = {name: job(id=name) for name in IDS}
    bench = make(documents, faults=Faults(slow=1.0, delay_s=0.05))
    bench.folder.joinpath("jobs.txt").write_text("\n".join(IDS))
    env = {
        **os.environ,
        "ELASTICSEARCH_URL": bench.sandbox.url,
        "ELASTICSEARCH_API_KEY": bench.sandbox.api_key,
        "ETL_OUTPUT": str(bench.output),
    }
    options = {"--concurrency": "2", "--batch-size": "10", "--strategy": "get"}
    command = [sys.executable, "-m", "etl", "run", "jobs.txt", "--json", *chain.from_iterable(options.items())]
    with subprocess.Popen(command, cwd=bench.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        ends = time.monotonic() + PATIENCE_S
        while sum(bench.sandbox.requests_by_id.values()) < 15 and time.monotonic() < ends:
            time.sleep(0.005)
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE_S)

    summary = json.loads(out)
    assert (child.returncode, summary["exit_code"]) == (code, code), err
    assert sum(summary["outcomes"].values()) == summary["requested"] == len(IDS)
    assert summary["outcomes"]["failed"] == len(IDS)
    assert not (bench.output / "latest").exists()
    asked_before = set(bench.asked())
    outcomes = pd.read_parquet(bench.output / "runs" / summary["run_id"] / "outcomes.parquet")
    assert set(outcomes["reason"].str.partition(":")[0]) == {"not_published", "not_attempted"}
    staged = set(outcomes[outcomes["reason"].str.startswith("not_published")]["id"])
    assert staged <= asked_before
    assert len(staged) >= 10

    again = bench.run("--strategy", "get")

    assert again.code == 0
    assert set(bench.asked()) == set(IDS) - staged
    assert again.summary["outcomes"]["loaded"] == len(IDS)
    assert sorted(pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"]) == IDS
    attempts = pd.read_parquet(bench.output / "runs" / again.summary["run_id"] / "outcomes.parquet").set_index("id")
    assert (attempts["attempts"] == 0).sum() == len(staged)


@contextmanager
def unanswered(folder: Path, read_timeout: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has asked its first question, of a cluster that takes connections and never answers."""
    (folder / "jobs.txt").write_text("a")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "etl", "run", "jobs.txt", "--url", url, "--read-timeout", read_timeout]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as child:
            connection, _ = silent.accept()
            with connection:
                yield child


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_id_ends_the_run_without_a_record(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with unanswered(tmp_path, "300ms") as child:
        child.send_signal(number)
        _, err = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == code
    assert err.endswith("etl: stopped before the first id was asked for\n")
    assert not (tmp_path / "output").exists()


def test_a_second_signal_ends_a_run_at_once_with_its_own_code(tmp_path: Path) -> None:
    with unanswered(tmp_path, "1h") as child:
        child.send_signal(signal.SIGINT)  # where both wait, the one of the lower number is heard first
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=PATIENCE_S)

    assert (child.returncode, err) == (143, "\netl: terminated at once; what was staged is adopted by the next run\n")


class Tripwire(dict[str, Any]):
    """Documents that request the stop when one of them is asked for."""

    def __init__(self, documents: dict[str, Any], wire: str, stop: Stop, cause: StopCause) -> None:
        super().__init__(documents)
        self._wire, self._stop, self._cause = wire, stop, cause

    def __getitem__(self, job_id: str) -> Any:
        if job_id == self._wire:
            self._stop.request(self._cause)
        return super().__getitem__(job_id)

    def get(self, job_id: str, default: Any = None) -> Any:
        return self[job_id] if job_id in self else default  # noqa: SIM401 - `get` is what is being defined


def run_until(make: MakeBench, cause: StopCause, wire: str = "b") -> tuple[Bench, RunSummary]:
    """Run for a, b and c, one after the other, and let the stop be requested when one of them is asked for."""
    stop = Stop()
    names = ["a", "b", "c"]
    bench = make(Tripwire({name: job(id=name) for name in names}, wire, stop, cause))
    reached = connection(
        ConnectionFlags(url=bench.sandbox.url),
        {"ELASTICSEARCH_API_KEY": bench.sandbox.api_key},
        limits={"concurrency": 1},
    )
    jobs = JobsFile(requested=tuple(RequestedId(id=name) for name in names), invalid=(), repeats=0)
    return bench, run(jobs, reached, RunSettings(output=bench.output, batch_size=1), stop=stop, quiet=True)


def test_jobs_adopted_that_nobody_asked_for_are_reported_beside_the_sum(make: MakeBench) -> None:
    bench, died = run_until(make, StopCause.TERMINATED)
    assert (died.exit_code, died.snapshot) == (ExitCode.TERMINATED, None)

    ended = bench.run(ids=["c"])

    assert (ended.code, ended.summary["outcomes"]["loaded"]) == (0, 1)
    assert (ended.summary["adopted"], ended.summary["rows"]["sync_jobs"]) == (2, 3)


def test_a_deadline_ends_a_run_in_order_and_publishes_what_is_there(make: MakeBench) -> None:
    bench, ended = run_until(make, StopCause.DEADLINE)

    assert (ended.exit_code, ended.outcomes["loaded"], ended.outcomes["failed"]) == (ExitCode.INCOMPLETE, 2, 1)
    assert "the run's deadline came first" in str(ended.problem)
    assert ended.failed_file is not None
    assert ended.failed_file.read_text() == "c # not_attempted: the run's deadline came first\n"
    assert sorted(pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"]) == ["a", "b"]


def test_a_deadline_that_is_over_at_once_leaves_every_id_accounted_for(make: MakeBench) -> None:
    ended = make({name: job(id=name) for name in IDS}).run("--deadline", "0s")

    assert ended.code in {3, 4}
    assert sum(ended.summary["outcomes"].values()) == ended.summary["requested"] == len(IDS)


def test_a_signal_overrules_a_deadline() -> None:
    stop = Stop()
    stop.request(StopCause.DEADLINE)
    stop.request(StopCause.INTERRUPTED)
    stop.request(StopCause.FAILURES)

    assert stop.cause is StopCause.INTERRUPTED


@pytest.mark.parametrize(("allowed", "code"), [("2", 4), ("3", 3), ("4%", 4), ("50%", 3), (None, 3)])
def test_too_many_failures_end_a_run_that_publishes_nothing_and_keeps_what_was_staged(
    make: MakeBench, allowed: str | None, code: int
) -> None:
    failing = frozenset(IDS[40:43])
    bench = make({name: job(id=name) for name in IDS}, faults=Faults(always_fail=failing))

    ended = bench.run(
        "--max-attempts", "1", "--concurrency", "1", "--batch-size", "10", "--strategy", "get",
        *([] if allowed is None else ["--max-failures", allowed]),
    )  # fmt: skip

    assert ended.code == code
    assert sum(ended.summary["outcomes"].values()) == len(IDS)
    assert (bench.output / "latest").exists() is (code == 3)
    if code == 4:
        assert "--max-failures" in ended.err
        assert len(list((bench.output / "_staging").glob("*/*/_batch.json"))) >= 4
        again = bench.run("--max-attempts", "1", "--strategy", "get")
        assert again.summary["rows"]["sync_jobs"] == len(IDS) - len(failing)


@pytest.mark.parametrize("wrong", ["x", "-1", "5.5", "%", "-1%", "101%", "nan%", "inf%"])
def test_what_is_no_number_of_failures_is_refused(make: MakeBench, wrong: str) -> None:
    assert make({}).run(f"--max-failures={wrong}").code == 2
