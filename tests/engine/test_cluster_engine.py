"""What only a Dask cluster can do to a run: be away, lose its workers, hang, hold other versions."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from clusters import Cluster, cluster
from works import Job, Squares, Taken, Watched

from etl.engine import cluster as engine_module
from etl.engine import joining, lookout, remote
from etl.engine.cluster import ClusterEngine
from etl.engine.sealed import Sealed
from etl.engine.told import Broken, Finished, Forsaken, Tally
from etl.errors import EtlError, OutputError, UnreachableError, UsageError
from etl.observe.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def on(
    made: Cluster, *, stop: Event | None = None, concurrency: int = 2, watch: Watched | None = None
) -> ClusterEngine:
    return ClusterEngine(stop or Event(), watch or Watched(), scheduler=made.address, concurrency=concurrency)


def test_where_no_scheduler_answers_the_run_ends_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ANSWER_WITHIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    engine = ClusterEngine(Event(), Watched(), scheduler=address, concurrency=2)

    with pytest.raises(UnreachableError, match=f"no Dask scheduler answers at {address}.*`dask scheduler`"):
        list(engine.run(Squares(folder=tmp_path), [Job(number=0)]))


def test_a_worker_that_cannot_do_the_work_is_named_with_the_reason(dask: Cluster, tmp_path: Path) -> None:
    work = Squares(folder=tmp_path, problem="the disk is not there, mount it")

    with pytest.raises(UsageError, match=r"Dask worker tcp://127\.0\.0\.1:\d+: the disk is not there, mount it"):
        list(on(dask).run(work, [Job(number=0)]))


def test_other_versions_are_named_with_both_numbers(
    dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = remote.versions()
    monkeypatch.setattr(joining, "versions_here", lambda: replace(here, pyarrow="1.2.3"))

    with pytest.raises(UsageError, match=rf"pyarrow {re.escape(here.pyarrow)} there, 1\.2\.3 here.*install the same"):
        list(on(dask).run(Squares(folder=tmp_path), [Job(number=0)]))


@pytest.mark.parametrize(("concurrency", "most", "shares"), [(1, 1, {1}), (2, 2, {2}), (5, 2, {2}), (7, 2, {2})])
def test_what_is_given_out_never_shares_more_than_there_is(
    dask: Cluster, tmp_path: Path, concurrency: int, most: int, shares: set[int]
) -> None:
    dask.keep(2)
    asked: list[int] = []

    class Asked(Squares):
        def abroad(self, shares: int) -> Squares:
            asked.append(shares)
            return Squares(folder=self.folder)

    jobs = Taken(8)

    for done, _ in enumerate(on(dask, concurrency=concurrency).run(Asked(folder=tmp_path), jobs)):
        assert jobs.taken - done <= most
    assert set(asked[1:]) == shares


def test_more_threads_than_requests_that_may_be_under_way_are_told(
    dask: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dask.keep(2)

    with caplog.at_level(logging.WARNING, "etl"):  # whatever another test has left
        list(on(dask, concurrency=1).run(Squares(folder=tmp_path), [Job(number=0)]))

    assert "the cluster has 2 threads, but --concurrency 1" in caplog.text


def test_a_worker_that_hangs_does_not_keep_a_stop_waiting(
    dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.keep(2)
    monkeypatch.setattr(engine_module, "HALT_WITHIN_S", 1.0)
    monkeypatch.setattr(lookout, "_WITHIN_S", 0.5)
    stop, watched = Event(), Watched()
    hung = next(worker for worker in dask.workers if worker.poll() is None)

    def jobs() -> Iterator[Job]:
        for number in range(6):
            if number == 2:
                os.kill(hung.pid, signal.SIGSTOP)
                stop.set()
            yield Job(number=number, deed="wait" if number < 2 else "")

    try:
        results = list(on(dask, stop=stop, watch=watched, concurrency=3).run(Squares(folder=tmp_path), jobs()))
    finally:
        hung.kill()  # or it would stay with its task until it takes itself for forsaken
        hung.wait()

    assert sorted(number for number, _, _ in results) == list(range(6))
    assert watched.answers == 6


def test_nothing_of_a_run_stays_with_the_workers(dask: Cluster, tmp_path: Path) -> None:
    from distributed import Client  # noqa: PLC0415 - as the engine loads it

    dask.keep(2)
    list(on(dask).run(Squares(folder=tmp_path), [Job(number=number) for number in range(4)]))

    with Client(dask.address, set_as_default=False) as client:
        held = client.run(held_now)
    assert list(held.values()) == [[], []]


def held_now() -> list[str]:
    from etl.engine import remote as there  # noqa: PLC0415 - on the worker

    return sorted(run for run, held in there._HELD.items() if not held.over.is_set())


@pytest.mark.slow
def test_a_task_that_kills_every_worker_ends_the_run_with_a_remedy(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=3) as made, pytest.raises(EtlError, match=r"over the same batch.*--batch-size"):
        list(on(made).run(Squares(folder=tmp_path), [Job(number=0), Job(number=1, deed="die"), Job(number=2)]))


@pytest.mark.slow
def test_a_cluster_that_loses_its_last_worker_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WORKERS_WITHIN_S", 2.0)
    with cluster(tmp_path, workers=1) as made, pytest.raises(UnreachableError, match=r"has no worker.*`dask worker"):
        list(on(made).run(Squares(folder=tmp_path), [Job(number=0, deed="die first")]))


@pytest.mark.slow
def test_workers_that_come_later_are_waited_for_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "WORKERS_WITHIN_S", 0.2)
    with cluster(tmp_path, workers=0) as made:
        with pytest.raises(UnreachableError, match="has no worker"):
            list(on(made).run(Squares(folder=tmp_path), [Job(number=0)]))
        made.work()

        assert list(on(made).run(Squares(folder=tmp_path), [Job(number=3)])) == [(3, 9, False)]


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_run_with_a_remedy(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=1) as made:
        scheduler = made.scheduler
        assert scheduler is not None

        def jobs() -> Iterator[Job]:
            yield Job(number=0)
            scheduler.kill()
            yield Job(number=1)

        with pytest.raises(UnreachableError, match="Dask scheduler"):
            list(on(made).run(Squares(folder=tmp_path), jobs()))


@pytest.fixture(name="in_this_program")
def _in_this_program() -> Iterator[None]:
    """What a worker does, done here; the log of this program is left as it was."""
    level, propagates = LOGGER.level, LOGGER.propagate
    yield
    LOGGER.removeHandler(remote._HANDLER)
    LOGGER.setLevel(level)
    LOGGER.propagate = propagates


@pytest.mark.usefixtures("in_this_program")
def test_a_worker_that_hears_no_more_of_a_run_ends_its_task_which_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FORSAKEN_AFTER_S", 0.0)
    monkeypatch.setattr(remote, "_LOOK_EVERY_S", 0.01)
    sealed = Sealed((Squares(folder=tmp_path), Job(number=0, deed="wait")))

    assert remote.do("run", 0, is_halted=False, sealed=sealed) == Forsaken()


@pytest.mark.usefixtures("in_this_program")
def test_what_a_worker_tells_has_no_secret_in_it(tmp_path: Path) -> None:
    work = Squares(folder=tmp_path)

    broken = remote.do("run", 0, is_halted=False, sealed=Sealed((work, Job(number=7, deed="leak"))))
    logged = remote.do("run", 1, is_halted=False, sealed=Sealed((work, Job(number=1, deed="log"))))
    seen = remote.leave("run")

    assert isinstance(broken, Broken)
    assert str(broken.error) == "ValueError in a worker: it was [redacted]"
    assert "hunter2" not in "".join(broken.error.__notes__)
    assert logged == Finished(result=(1, 1, False), tally=Tally(answers=1, failures=1))
    assert [text for _, text in seen.logged] == ["number 1, password=[redacted]"]


def test_an_error_of_the_output_keeps_its_class_and_so_its_exit_code(dask: Cluster, tmp_path: Path) -> None:
    dask.keep(2)

    with pytest.raises(OutputError):
        list(on(dask).run(Squares(folder=tmp_path), [Job(number=1, deed="fail")]))


@pytest.mark.usefixtures("in_this_program")
def test_a_worker_that_came_later_and_cannot_do_the_work_names_itself(tmp_path: Path) -> None:
    broken = remote.do(
        "run", 0, is_halted=False, sealed=Sealed((Squares(folder=tmp_path, problem="no disk"), Job(number=0)))
    )
    remote.leave("run")

    assert isinstance(broken, Broken)
    assert isinstance(broken.error, UsageError)
    assert str(broken.error) == f"Dask worker on {socket.gethostname()}, pid {os.getpid()}: no disk"
