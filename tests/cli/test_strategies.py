"""The ways to fetch a list of ids: the same tables, cell for cell, and each way's own manners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from commands import Ended, etl
from kills import state_of

from etl.pipeline import spread
from etl.sandbox.access import ApiKey
from etl.sandbox.faults import Faults
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIST_ONLY = ApiKey(id="list-only", secret="list-only", privileges=frozenset({"monitor", "monitor_connector"}))
JOBS = 620
MISSING = [f"no-such-job-{number}" for number in range(30)]
LIST = ("/_connector/_sync_job?from=0&size=1000", "/_connector/_sync_job?from=0&size=0")
PATIENCE_S = 60.0  # only a test that fails waits as long


@pytest.fixture(name="sandbox", scope="module")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(jobs=JOBS, api_keys=(FULL_KEY, LIST_ONLY))) as sandbox:
        yield sandbox


@pytest.fixture(name="ids", scope="module")
def _ids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All jobs but every tenth, ids that the cluster does not have, and a line that is no id."""
    wanted = [id_of(number) for number in range(JOBS) if number % 10]
    path = tmp_path_factory.mktemp("strategies") / "ids.txt"
    path.write_text("\n".join([*wanted, *MISSING, "..", ""]))
    return path


def run(sandbox: Sandbox, ids: Path, output: Path, *more: str, key: ApiKey = FULL_KEY) -> Ended:
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": key.encoded}
    return etl("run", str(ids), "--json", "--output", str(output), *more, env=env)


def outcomes_of(ended: Ended) -> dict[str, Any]:
    return {name: count for name, count in ended.summary["outcomes"].items() if count}


EXPECTED = {"loaded": JOBS - JOBS // 10, "not_found": len(MISSING), "invalid": 1}


@pytest.fixture(name="plain", scope="module")
def _plain(sandbox: Sandbox, ids: Path) -> Path:
    """What getting one id after the other gives."""
    output = ids.parent / "plain"
    ended = run(sandbox, ids, output, "--strategy", "get", "--workers", "1")
    assert ended.code == 3  # the line that is no id
    assert outcomes_of(ended) == EXPECTED
    return output


@pytest.mark.parametrize(("strategy", "workers"), [("get", 2), ("page", 1), ("page", 2), ("mget", 2), ("auto", 1)])
def test_all_ways_give_the_same_tables_outcomes_and_lines(
    sandbox: Sandbox,
    ids: Path,
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
    workers: int,
) -> None:
    monkeypatch.setattr(spread, "_JOBS_A_WORKER", JOBS // 4)  # so that workers merge months too
    monkeypatch.setattr(spread, "_JOBS_A_GROUP", JOBS // 6)
    arguments = ["--strategy", strategy, "--workers", str(workers), "--batch-size", "200"]

    ended = run(sandbox, ids, tmp_path / "out", *arguments)

    assert ended.code == 3
    assert outcomes_of(ended) == EXPECTED
    assert state_of(tmp_path / "out") == state_of(plain)
    assert lines_of(tmp_path / "out") == lines_of(plain)


def lines_of(output: Path) -> list[tuple[str, int]]:
    (run_folder,) = (output / "runs").iterdir()
    outcomes = pd.read_parquet(run_folder / "outcomes.parquet")
    return sorted(zip(outcomes["id"], outcomes["line"], strict=True))


def test_many_ids_a_request_cost_one_request_for_500(sandbox: Sandbox, ids: Path, tmp_path: Path) -> None:
    ended = run(sandbox, ids, tmp_path / "out", "--strategy", "mget")

    asked = EXPECTED["loaded"] + EXPECTED["not_found"]
    assert ended.summary["figures"] == {"requests": 2, "least_requests": -(-asked // 500), "left_alone": 0}
    assert ended.summary["warnings"] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_index_that_is_refused_is_said_once_and_ids_are_got_one_by_one(
    sandbox: Sandbox, ids: Path, tmp_path: Path, workers: str
) -> None:
    ended = run(
        sandbox, ids, tmp_path / "out", "--strategy", "mget", "--workers", workers, "--batch-size", "100", key=LIST_ONLY
    )

    assert ended.code == 3
    assert outcomes_of(ended) == EXPECTED
    (said,) = [warning for warning in ended.summary["warnings"] if "index" in warning]
    assert "the index could not be read, so ids were got one by one" in said
    assert "read" in said
    assert ended.err.count("got one by one") == 1


def test_a_list_that_breaks_is_said_and_ids_are_got_one_by_one(ids: Path, tmp_path: Path) -> None:
    faults = Faults(always_fail=frozenset(LIST))
    with Sandbox(SandboxSettings(jobs=JOBS, faults=faults)) as broken:
        ended = run(broken, ids, tmp_path / "out", "--strategy", "page", "--max-attempts", "1")
        auto = run(broken, ids, tmp_path / "auto", "--max-attempts", "1")

    assert outcomes_of(ended) == outcomes_of(auto) == EXPECTED
    assert "the list of all jobs could not be walked, so ids were got one by one" in ended.err
    assert "get: 588 ids; the list of all jobs did not answer" in auto.err


def test_a_walk_ends_when_all_wanted_ids_are_found(sandbox: Sandbox, tmp_path: Path) -> None:
    found = etl("discover", env={"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded})
    (tmp_path / "ids.txt").write_text("\n".join(found.out.split()[:100]))
    before = sandbox.requests_by_route.total()

    ended = run(sandbox, tmp_path / "ids.txt", tmp_path / "out", "--strategy", "page")

    assert outcomes_of(ended) == {"loaded": 100}
    assert sandbox.requests_by_route.total() - before == 2  # who it is, and one page


@pytest.mark.parametrize(("ids_wanted", "strategy"), [(550, "page"), (25, "get"), (5, "get")])
def test_a_dry_run_prints_the_cost_and_the_way(
    sandbox: Sandbox, tmp_path: Path, ids_wanted: int, strategy: str
) -> None:
    (tmp_path / "ids.txt").write_text("\n".join(id_of(number) for number in range(ids_wanted)))
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded}
    command = ["run", str(tmp_path / "ids.txt"), "--dry-run", "--output", str(tmp_path / "out")]

    planned, told = etl(*command, "--json", env=env), etl(*command, env=env)

    assert planned.summary["strategy"] == strategy
    assert f"{strategy}: {ids_wanted} ids" in told.out
    if ids_wanted > 20:
        assert f"of {JOBS} jobs cost" in told.out
    before = sandbox.requests_by_route.total()
    ended = run(sandbox, tmp_path / "ids.txt", tmp_path / "out")
    assert planned.summary["requests"] == sandbox.requests_by_route.total() - before
    assert ended.summary["figures"]["requests"] + 1 == planned.summary["requests"]


def test_a_dry_run_over_the_whole_cluster_says_what_would_be_walked(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded, "ETL_OUTPUT": str(tmp_path)}

    first = etl("run", "--all", "--dry-run", env=env)
    assert etl("run", "--all", env=env).code == 0
    second = etl("run", "--all", "--dry-run", "--json", env=env)
    third = etl("run", "--all", "--dry-run", env=env)

    assert f"counts {JOBS} jobs; published now: 0" in first.out
    assert "all jobs would be walked" in first.out
    assert (second.summary["listed"], second.summary["published"]) == (JOBS, JOBS)
    assert second.summary["since"] is not None
    assert 0 < second.summary["unsettled"] < JOBS
    assert "and unsettled ones would be fetched" in third.out


def test_a_way_for_ids_is_refused_for_the_whole_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded, "ETL_OUTPUT": str(tmp_path)}

    ended = etl("run", "--all", "--strategy", "mget", env=env)

    assert ended.code == 2
    assert "--strategy mget is for a jobs file" in ended.err


def batches_in(output: Path) -> list[Path]:
    """Batches that exist: those that have been renamed."""
    return [path for path in output.glob("_staging/*/*/_batch.json") if path.parent.name.isdigit()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_with_workers_that_is_ended_publishes_nothing_and_the_next_one_adopts(
    ids: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with Sandbox(SandboxSettings(jobs=JOBS, faults=Faults(slow=1.0, delay_s=0.05))) as slow:
        output = tmp_path / "out"
        env = {**os.environ, "ELASTICSEARCH_URL": slow.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded}
        arguments = ["run", str(ids), "--output", str(output), "--workers", "2", "--batch-size", "20", "-q"]
        command = [sys.executable, "-m", "etl", *arguments, "--strategy", "get"]
        with subprocess.Popen(command, env=env, start_new_session=True) as child:
            ends = time.monotonic() + PATIENCE_S
            while not batches_in(output) and time.monotonic() < ends:
                time.sleep(0.01)
            os.killpg(child.pid, number)  # as a terminal and a service manager do, the workers too
        assert child.returncode == code
        assert not (output / "latest").exists()
        assert batches_in(output)
        slow.requests_by_id.clear()

        again = run(slow, ids, output, "--strategy", "mget")

    assert outcomes_of(again) == EXPECTED
    assert "batches of runs that died were adopted" in again.err
