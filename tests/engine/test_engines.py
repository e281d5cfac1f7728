"""What holds of tasks in real worker programs, whether an engine has them on this machine or on a Dask cluster."""

from __future__ import annotations

import logging
from threading import Event
from typing import TYPE_CHECKING

import pytest
from works import Job, Squares, Taken, Watched

from etl.errors import EtlError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clusters import MakeEngine


def test_every_task_has_its_result_once_though_a_worker_dies_over_one(engine_on: MakeEngine, tmp_path: Path) -> None:
    watched = Watched()
    jobs = [Job(number=number, deed="die first" if number == 5 else "") for number in range(12)]

    results = list(engine_on(Event(), watched).run(Squares(folder=tmp_path), jobs))

    assert sorted(number for number, _, _ in results) == list(range(12))
    assert all(square == number**2 and not is_stopped for number, square, is_stopped in results)
    assert (watched.answers, watched.failures) == (12, 6)
    assert (tmp_path / "died-5").exists()


def test_an_error_in_a_worker_is_raised_in_the_run(engine_on: MakeEngine, tmp_path: Path) -> None:
    jobs = [Job(number=0), Job(number=1, deed="fail")]

    with pytest.raises(OutputError, match="the disk is full") as raised:
        list(engine_on(Event(), Watched()).run(Squares(folder=tmp_path), jobs))
    assert "works.py" in raised.value.__notes__[0]


def test_an_error_that_cannot_cross_to_the_run_is_told_in_words(engine_on: MakeEngine, tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="Odd in a worker: part 7"):
        list(engine_on(Event(), Watched()).run(Squares(folder=tmp_path), [Job(number=7, deed="break")]))


def test_a_stop_reaches_workers_and_every_task_is_still_accounted_for(engine_on: MakeEngine, tmp_path: Path) -> None:
    stop = Event()

    def jobs() -> Iterator[Job]:
        for number in range(10):
            if number == 1:
                stop.set()
            yield Job(number=number, deed="wait" if number < 2 else "")

    results = list(engine_on(stop, Watched()).run(Squares(folder=tmp_path), jobs()))

    assert sorted(number for number, _, _ in results) == list(range(10))
    assert all(is_stopped for _, _, is_stopped in results)


def test_what_a_worker_logs_is_shown_by_the_run(
    engine_on: MakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "etl"):
        list(engine_on(Event(), Watched()).run(Squares(folder=tmp_path), [Job(number=3, deed="log")]))

    [line] = [record.getMessage() for record in caplog.records if record.name == "etl"]
    assert line in {"number 3, password=hunter2hunter2", "number 3, password=[redacted]"}


def test_tasks_are_taken_only_as_there_is_room_for_them(engine_on: MakeEngine, tmp_path: Path) -> None:
    jobs = Taken(40)

    for done, _ in enumerate(engine_on(Event(), Watched()).run(Squares(folder=tmp_path), jobs)):
        assert jobs.taken - done <= 5
    assert jobs.taken == 40
