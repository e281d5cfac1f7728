"""Nearly half of all requests go wrong: no id is lost, none is doubled, and what fails for good is named.

400 ids here; `python benchmarks/faults.py` tries 5,000, with the waits of every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents import job
from faulty_runs import FaultyRun, run_through_faults

from etl.extract.client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench

    from etl.extract.transport.request import Request

JOBS = 400


@pytest.fixture(name="passing", scope="module")
def _passing(tmp_path_factory: pytest.TempPathFactory) -> FaultyRun:
    return run_through_faults(tmp_path_factory.mktemp("faults"), JOBS, base_s=0.001)


def test_faults_that_pass_lose_and_double_no_id(passing: FaultyRun) -> None:
    assert passing.problems() == []
    assert passing.ended.code == 0
    assert len(set(passing.published)) == JOBS


def test_so_many_requests_went_wrong_that_it_means_something(passing: FaultyRun) -> None:
    assert sum(passing.requests.values()) > 1.5 * JOBS
    assert max(passing.requests.values()) == 4


def test_ids_that_always_fail_are_named_and_the_others_are_published(tmp_path: Path) -> None:
    run = run_through_faults(tmp_path, JOBS, hopeless=0.03, base_s=0.001)

    assert run.problems() == []
    assert run.ended.code == 3
    assert len(run.failed) == 13
    assert {run.requests[job_id] for job_id in run.failed} == {6}


def test_a_defect_while_an_id_is_asked_for_ends_the_run_as_a_bug_and_frees_the_dataset(
    make: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make({name: job(id=name) for name in map(str, range(40))})
    job_request = Client.job_request

    def defect(self: Client, job_id: str, *, expires_at: float | None = None) -> Request:
        if job_id == "25":
            msg = "password=hunter2hunter2"
            raise ZeroDivisionError(msg)
        return job_request(self, job_id, expires_at=expires_at)

    with monkeypatch.context() as patched:
        patched.setattr(Client, "job_request", defect)
        ended = bench.run("--batch-size", "10", "--strategy", "get")

    assert (ended.code, ended.out) == (1, "")
    assert "etl: a bug: ZeroDivisionError" in ended.err
    assert "hunter2" not in ended.err
    assert not (bench.output / "latest").exists()

    bench.asked()
    again = bench.run("--strategy", "get")

    assert again.code == 0
    assert again.summary["outcomes"]["loaded"] == 40
    assert "0" not in bench.asked()  # staged before the defect, and adopted
