from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from etl.errors import ExitCode, LockedError, OutputError
from etl.load.lock import DatasetLock
from etl.load.runs import RunRecord
from tests.load.conftest import HOUR, NOW, Job, Run, contents, expected, published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.load.conftest import TracedStorage


def test_a_second_writer_is_told_who_holds_the_lock(storage: TracedStorage, root: Path) -> None:
    first = Run(storage)
    with first.open(), pytest.raises(LockedError) as refused:
        Run(storage, now=NOW + HOUR).open()
    assert refused.value.exit_code is ExitCode.LOCKED
    assert str(refused.value) == (
        f"{root}/_lock: run {first.run_id} on host {socket.gethostname()}, pid {os.getpid()}, "
        "has held the lock since 2026-11-24T03:50:00Z; wait for it to end"
    )


def test_the_message_does_without_a_name_that_was_lost(storage: TracedStorage, root: Path) -> None:
    with Run(storage).open():
        (root / "_lock").write_bytes(b"")
        with pytest.raises(LockedError, match="_lock: another run holds the lock; wait for it to end"):
            Run(storage, now=NOW + HOUR).open()


def test_the_lock_is_free_again_after_a_run_that_failed(storage: TracedStorage, root: Path) -> None:
    def fail() -> None:
        with Run(storage).open():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    (root / "latest").mkdir()
    for _ in range(2):
        with pytest.raises(OutputError, match="latest: a file or folder of its own"):
            Run(storage).open()
    (root / "latest").rmdir()
    Run(storage).publish([Job(id="a")])


def test_a_lock_that_cannot_be_taken_is_an_output_error(storage: TracedStorage, root: Path) -> None:
    (root / "_lock").mkdir(parents=True)
    with pytest.raises(OutputError, match="_lock: cannot be locked"):
        DatasetLock.acquire(storage, run_id="r", now=NOW)


def test_a_publish_over_somebody_elses_publish_is_refused_and_what_was_fetched_is_adopted(
    storage: TracedStorage, root: Path
) -> None:
    first = Run(storage).publish([Job(id="a")])
    Run(storage, now=NOW + HOUR).publish([Job(id="b")])
    late = Run(storage, now=NOW + 2 * HOUR)
    with late.open() as writer:
        late.stage(writer, [Job(id="c")])
        plan = writer.plan()
        (root / "latest").unlink()
        (root / "latest").symlink_to(f"snapshots/{first.run.run_id}")
        record = RunRecord(source="cluster-1", started_at=NOW, ended_at=NOW, exit_code=0)
        with pytest.raises(LockedError, match="somebody has published since"):
            writer.publish(plan, record, now=NOW + 2 * HOUR)
    assert published(root).run_id == first.run.run_id
    Run(storage, now=NOW + 3 * HOUR).publish([])
    assert contents(root) == expected([Job(id="a"), Job(id="c")])
