"""Tasks in worker programs, real ones: what one does, how it dies, and what is left of it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest
from works import Job, Squares

from etl.engine.local import LocalEngine
from etl.errors import EtlError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 60.0  # only a test that fails waits as long


class Watched:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.answers = self.failures = 0

    def __call__(self, answers: int, failures: int) -> None:
        self.answers += answers
        self.failures += failures


def test_every_task_has_its_result_once_though_a_worker_dies_over_one(tmp_path: Path) -> None:
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


def test_an_error_in_a_worker_is_raised_in_the_run(tmp_path: Path) -> None:
    jobs = [Job(number=0), Job(number=1, deed="fail")]

    with pytest.raises(OutputError, match="the disk is full") as raised:
        list(LocalEngine(Event(), Watched(), workers=2).run(Squares(folder=tmp_path), jobs))
    assert "works.py" in raised.value.__notes__[0]


def test_an_error_that_cannot_cross_the_pipe_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="Odd in a worker: part 7"):
        list(LocalEngine(Event(), Watched(), workers=2).run(Squares(folder=tmp_path), [Job(number=7, deed="break")]))


def test_a_stop_reaches_workers_and_every_task_is_still_accounted_for(tmp_path: Path) -> None:
    stop = Event()

    def jobs() -> Iterator[Job]:
        for number in range(10):
            if number == 3:
                stop.set()
            yield Job(number=number, deed="wait" if number < 4 else "")

    results = list(LocalEngine(stop, Watched(), workers=2).run(Squares(folder=tmp_path), jobs()))

    assert sorted(number for number, _, _ in results) == list(range(10))
    assert all(is_stopped for _, _, is_stopped in results)


def test_what_a_worker_logs_is_shown_by_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "etl"):
        list(LocalEngine(Event(), Watched(), workers=2).run(Squares(folder=tmp_path), [Job(number=3, deed="log")]))

    assert [record.getMessage() for record in caplog.records] == ["number 3, password=hunter2hunter2"]


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    support = Path(__file__).parents[1] / "support"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(support.parents[1]), str(support)])}
    with subprocess.Popen([sys.executable, str(support / "works.py"), str(tmp_path)], env=env) as run:
        workers = wait_for(lambda: len(list(tmp_path.glob("worker-*"))) == 2) and list(tmp_path.glob("worker-*"))
        run.kill()

    assert workers
    numbers = [int(mark.name.partition("-")[2]) for mark in workers]
    assert wait_for(lambda: not any(map(is_alive, numbers)))


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
