"""What is kept: the newest snapshots and those superseded lately, and a number of run folders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from etl.load.folders import run_ids
from etl.load.pointer import read_pointer
from etl.load.reader import Snapshot, chain_of
from etl.load.runs import is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from etl.load.storage import Storage


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How much is kept.

    Attributes:
        snapshots: newest ones that always stay, at least 1.
        superseded: how long others stay after they were superseded, for readers that began with them.
        runs: newest run folders that stay, raw files with them.
    """

    snapshots: int = 3
    superseded: timedelta = timedelta(hours=24)
    runs: int = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What was removed, by run id."""

    snapshots: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


def prune(storage: Storage, retention: Retention, now: datetime) -> Pruned:
    """Remove what is beyond retention, and snapshots that show what `latest` must not show; never `latest` itself.

    The record of a run that cannot be read stays: a person looks at it first.

    Args:
        storage: of the dataset, under the lock.
        retention: see there.
        now: the time (UTC).

    Raises:
        OutputError: the file system refuses.
    """
    chain = chain_of(storage.layout.root, read_pointer(storage.layout.root))
    # Oldest first: whatever stops this, the chain from `latest` to the oldest snapshot stays whole.
    doomed = [snapshot.run_id for snapshot in reversed(chain[_kept(chain, retention, now) :])]
    for run_id in doomed:
        storage.remove_folders([storage.layout.snapshot(run_id)])
    recorded = run_ids(storage.layout.runs)
    old_runs = recorded[: max(0, len(recorded) - retention.runs)]
    old_runs = [run_id for run_id in old_runs if is_whole(storage.layout, run_id)]
    storage.remove_folders([storage.layout.run(run_id) for run_id in old_runs])
    return Pruned(snapshots=tuple(doomed), runs=tuple(old_runs))


def _kept(chain: Sequence[Snapshot], retention: Retention, now: datetime) -> int:
    """Return how many snapshots from the newest on are kept."""
    for position in range(1, len(chain)):
        superseded_at = chain[position - 1].manifest.created_at
        beyond = position >= retention.snapshots and now - superseded_at > retention.superseded
        if beyond or _shows_more(chain[position], chain[0]):
            return position
    return len(chain)


def _shows_more(older: Snapshot, latest: Snapshot) -> bool:
    """Tell whether a snapshot was redacted by older rules, or exposes fields that the latest one withholds."""
    before, now = older.manifest.origin, latest.manifest.origin
    return before.redactor_version < now.redactor_version or not set(before.exposed) <= set(now.exposed)
