"""The commit order: snapshot, run record, swap, state, batches; each step may be the last one of a run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from etl.errors import LockedError
from etl.load.build import SnapshotBuilder, SnapshotOptions
from etl.load.manifest import RunManifest, RunState, SnapshotManifest
from etl.load.place import shown_pointer
from etl.load.pointer import read_pointer, swap_pointer
from etl.load.runs import RunRecord, set_state, write_run
from etl.load.staging import remove_batches

if TYPE_CHECKING:
    from etl.load.plan import PublishPlan
    from etl.load.storage import Storage


def publish(
    storage: Storage, plan: PublishPlan, record: RunRecord, options: SnapshotOptions
) -> tuple[RunManifest, SnapshotManifest]:
    """Publish what a plan says, so that a reader and a later run find a whole state after each step.

    Args:
        storage: of the dataset, under the lock.
        plan: of this run.
        record: of this run.
        options: for the snapshot.

    Raises:
        LockedError: somebody has published since the plan was made.
        OutputError: a file cannot be read or written.
    """
    began = time.monotonic()
    snapshot = SnapshotBuilder(storage, plan, options).build()
    timings = {**record.timings, "build": round(time.monotonic() - began, 3)}
    record = replace(record, timings=timings)
    run = write_run(storage, plan.run_id, record, RunState.PUBLISHING, plan.run_id)
    latest = read_pointer(storage.layout.root)
    if latest != plan.base.latest:
        msg = (
            f"{shown_pointer(storage.layout.root)}: names {latest}, where this run began from {plan.base.latest}: "
            "somebody has published since; run again, what was fetched is adopted"
        )
        raise LockedError(msg)
    swap_pointer(storage, plan.run_id, base=plan.base.latest)
    run = set_state(storage, run, RunState.PUBLISHED)
    remove_batches(storage, plan.batches)
    return run, snapshot
