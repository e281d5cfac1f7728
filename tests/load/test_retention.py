from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from etl.load.layout import Layout
from etl.load.prune import Retention
from etl.load.reader import chain_of
from etl.load.runs import read_runs
from etl.load.steps import Step
from tests.load.conftest import HOUR, NOW, Job, Run, contents, expected, published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.load.conftest import TracedStorage

A = Job(id="a")


def publish_hourly(storage: TracedStorage, times: int, retention: Retention, *, first: int = 0) -> list[str]:
    names = []
    for number in range(first, first + times):
        now = NOW + number * HOUR
        run = Run(storage, now=now, retention=retention)
        run.publish([replace(A, error=f"{number}", fetched_at=now)])
        names.append(run.run_id)
    return names


def snapshots(root: Path) -> list[str]:
    return sorted(path.name for path in Layout(root).snapshots.iterdir())


def test_the_newest_snapshots_stay_and_others_until_they_are_superseded_long_enough(
    storage: TracedStorage, root: Path
) -> None:
    names = publish_hourly(storage, 8, Retention(snapshots=2, superseded=timedelta(hours=3)))
    # At hour 7: number 3 was superseded at hour 4, three hours ago and not more.
    assert snapshots(root) == names[3:]


def test_everything_superseded_lately_stays(storage: TracedStorage, root: Path) -> None:
    names = publish_hourly(storage, 5, Retention(snapshots=1))
    assert snapshots(root) == names
    assert [snapshot.run_id for snapshot in chain_of(root, names[-1])] == names[::-1]


def test_old_snapshots_within_the_number_stay_however_old(storage: TracedStorage, root: Path) -> None:
    retention = Retention(snapshots=3, superseded=timedelta(0))
    names = publish_hourly(storage, 2, retention)
    names += publish_hourly(storage, 1, retention, first=10_000)
    assert snapshots(root) == names


def test_latest_stays_even_alone_and_forever(storage: TracedStorage, root: Path) -> None:
    retention = Retention(snapshots=1, superseded=timedelta(0))
    publish_hourly(storage, 3, retention)
    Run(storage, now=NOW + 10_000 * HOUR, retention=retention).publish([])
    assert snapshots(root) == [published(root).run_id]
    assert contents(root) == expected([replace(A, error="2", fetched_at=NOW + 2 * HOUR)])


def test_files_shared_with_a_removed_snapshot_stay(storage: TracedStorage, root: Path) -> None:
    other = Job(id="other", created_at=NOW - 1000 * HOUR)
    retention = Retention(snapshots=1, superseded=timedelta(0))
    Run(storage, retention=retention).publish([other])
    publish_hourly(storage, 3, retention, first=1)
    assert contents(root)["sync_jobs"][0]["job_id"] == "other"


def test_a_run_that_publishes_nothing_prunes_too(storage: TracedStorage, root: Path) -> None:
    names = publish_hourly(storage, 3, Retention(snapshots=1, superseded=timedelta(hours=5)))
    Run(storage, now=NOW + 100 * HOUR, retention=Retention(snapshots=1)).publish([])
    assert snapshots(root) == names[-1:]


def test_the_oldest_snapshot_goes_first_so_that_the_chain_stays_whole(storage: TracedStorage, root: Path) -> None:
    names = publish_hourly(storage, 4, Retention())
    storage.trace.clear()
    Run(storage, now=NOW + 100 * HOUR, retention=Retention(snapshots=1)).publish([])
    gone = [path.name for kind, path, _ in storage.trace if kind is Step.RENAME and path.parent == root / "snapshots"]
    assert gone == names[:3]


def test_the_newest_run_folders_stay(storage: TracedStorage, root: Path) -> None:
    names = publish_hourly(storage, 5, Retention(runs=2))
    assert [run.run_id for run in read_runs(Layout(root)).runs] == names[-2:]
