"""Tasks in worker programs of this machine: how one dies, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest
from works import Job, Squares, Watched

from etl.engine.local import LocalEngine
from etl.engine.start import prepare
from etl.errors import EtlError

PATIENCE_S = 60.0  # only a test that fails waits as long


def test_tasks_of_a_worker_that_died_are_given_out_again_in_a_lighter_form(tmp_path: Path) -> None:
    watched = Watched()
    jobs = [Job(number=number, deed="die once" if number == 5 else "") for number in range(12)]

    results = list(LocalEngine(Event(), watched, workers=2).run(Squares(folder=tmp_path), jobs))

    assert sorted(results) == [(number, number**2, False) for number in range(12)]
    assert (watched.answers, watched.failures) == (12, 6)
    assert (tmp_path / "died-5").exists()


def test_a_task_that_kills_every_worker_ends_the_run_with_a_remedy(tmp_path: Path) -> None:
    jobs = [Job(number=number, deed="die" if number == 1 else "") for number in range(3)]

    with pytest.raises(EtlError, match=r"died over the same batch.*exit code -9.*--batch-size"):
        list(LocalEngine(Event(), Watched(), workers=2).run(Squares(folder=tmp_path), jobs))


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    support = Path(__file__).parents[1] / "support"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(support.parents[1]), str(support)])}
    with subprocess.Popen([sys.executable, str(support / "works.py"), str(tmp_path)], env=env) as run:
        workers = wait_for(lambda: len(list(tmp_path.glob("worker-*"))) == 2) and list(tmp_path.glob("worker-*"))
        run.kill()

    assert workers
    numbers = [int(mark.name.partition("-")[2]) for mark in workers]
    assert wait_for(lambda: not any(map(is_alive, numbers)))


@pytest.mark.skipif(sys.platform == "win32", reason="programs are not forked there")
def test_workers_go_on_where_the_program_that_they_are_forked_from_has_died(tmp_path: Path) -> None:
    from multiprocessing import forkserver  # noqa: PLC0415 - not there on Windows

    prepare(Squares.__module__)
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]  # asked nowhere else
    jobs = [Job(number=number, deed="die once" if number == 2 else "") for number in range(6)]

    results = list(LocalEngine(Event(), Watched(), workers=2).run(Squares(folder=tmp_path), jobs))

    assert sorted(results) == [(number, number**2, False) for number in range(6)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals that are kept out are told there")
def test_a_signal_to_all_programs_of_a_run_spares_the_one_that_workers_are_forked_from() -> None:
    script = """
from multiprocessing import forkserver
from etl.engine.start import prepare
prepare("json")
print(open(f"/proc/{forkserver._forkserver._forkserver_pid}/status").read())
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    (kept_out,) = (int(line.split()[1], 16) for line in told.splitlines() if line.startswith("SigBlk:"))
    assert all(kept_out >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM))


def wait_for(condition: object) -> bool:
    ends = time.monotonic() + PATIENCE_S
    assert callable(condition)
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    # Where nobody takes its exit code, a program that has ended is still named.
    stat = Path(f"/proc/{number}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
