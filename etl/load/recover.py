"""What a dead run left is finished or taken away, before a run under the lock does anything of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.errors import OutputError, UsageError
from etl.load.folders import leftovers, run_ids, was_published
from etl.load.layout import unfinished
from etl.load.manifest import RunState
from etl.load.place import shown_pointer
from etl.load.pointer import mended_pointer, read_pointer, settle_pointer
from etl.load.reader import Snapshot, chain_of, snapshot_of
from etl.load.runs import read_runs, set_state
from etl.load.staging import Batch, read_batches, remove_batches

if TYPE_CHECKING:
    from pathlib import Path

    from etl.errors import EtlError
    from etl.load.manifest import Origin
    from etl.load.storage import Storage

SANDBOX = "sandbox"
"""The source of demo data."""

_NAMES_HOST = re.compile(r"[.:]|^localhost$")  # neither a UUID nor what a person calls a cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """What was found and done.

    Attributes:
        latest: the run id of the published snapshot, or None.
        snapshot: whose rows are carried over: the published one, or None where demo data are replaced.
        adopted: batches of dead runs that this run publishes.
        refused_batches: of dead runs that were removed since another source, schema, redactor or exposure made them.
        refused_jobs: in those batches; they are fetched again.
        broken_batches: that could not be read and were removed.
        published_batches: that were removed since they stand in the dataset.
        discarded_snapshots: that nobody was led to.
        abandoned_runs: that died before they published.
        damaged_records: of runs: for each why it cannot be read, with the remedy.
        replaces_sandbox: whether what is published is demo data, and this run is real.
    """

    latest: str | None
    snapshot: Snapshot | None
    adopted: tuple[Batch, ...]
    refused_batches: int
    refused_jobs: int
    broken_batches: int
    published_batches: int
    discarded_snapshots: tuple[str, ...]
    abandoned_runs: tuple[str, ...]
    damaged_records: tuple[str, ...]
    replaces_sandbox: bool


def recover(storage: Storage, origin: Origin) -> Recovered:
    """Bring the dataset into a state that a run may build on.

    Args:
        storage: of the dataset, under the lock.
        origin: of the rows that the run will fetch.

    Raises:
        UsageError: the dataset is that of another source, or of a later version of etl.
        OutputError: the dataset cannot be read or written.
    """
    root = storage.layout.root
    chain = chain_of(root, read_pointer(root))
    latest = chain[0] if chain else None
    replaces = _check_terms(root, latest, origin)
    records = read_runs(storage.layout)
    _check_link(storage, latest)
    _remove_leftovers(storage)
    settle_pointer(storage)
    published = {snapshot.run_id for snapshot in chain}
    discarded = _discard_snapshots(storage, published)
    unfinished = [run for run in records.runs if run.state is RunState.PUBLISHING]
    finished = [run for run in unfinished if run.run_id in published]
    abandoned = [run for run in unfinished if run.run_id not in published]
    for run in finished:
        set_state(storage, run, RunState.PUBLISHED)
    for run in abandoned:
        set_state(storage, run, RunState.ABANDONED)
    batches, broken = read_batches(storage)
    named = {batch_id for snapshot in chain for batch_id in snapshot.manifest.batches}
    done = [batch for batch in batches if batch.batch_id in named]
    left = [batch for batch in batches if batch.batch_id not in named]
    adopted = tuple(batch for batch in left if batch.manifest.origin.provenance == origin.provenance)
    refused = [batch for batch in left if batch.manifest.origin.provenance != origin.provenance]
    remove_batches(storage, [*done, *refused])
    return Recovered(
        latest=latest.run_id if latest else None,
        snapshot=None if replaces else latest,
        adopted=adopted,
        refused_batches=len(refused),
        refused_jobs=sum(batch.manifest.jobs for batch in refused),
        broken_batches=broken,
        published_batches=len(done),
        discarded_snapshots=discarded,
        abandoned_runs=tuple(run.run_id for run in abandoned),
        damaged_records=records.damaged,
        replaces_sandbox=replaces,
    )


def replaces_sandbox(root: Path, latest: Snapshot | None, source: str) -> bool:
    """Tell whether rows of a source replace demo data.

    Raises:
        UsageError: the dataset is another source's.
    """
    if latest is None or latest.manifest.origin.source == source:
        return False
    before = latest.manifest.origin.source
    if before != SANDBOX:
        msg = f"{root}: holds sync jobs of {before}, not of {source}; choose another --output"
        raise UsageError(msg)
    return True


def check_known(root: Path, latest: Snapshot | None, host: str, hidden: EtlError) -> None:
    """Check that a cluster of which no more than the host is known is that of a dataset.

    Args:
        root: folder of the dataset.
        latest: what is published.
        host: of the cluster's URL.
        hidden: why no more is known.

    Raises:
        EtlError: of the kind of `hidden`: the dataset knows its cluster by another name, which is that of no host.
    """
    before = latest.manifest.origin.source if latest is not None else SANDBOX
    if before in {SANDBOX, host} or _NAMES_HOST.search(before):
        return
    msg = (
        f"{root}: knows its cluster by the UUID {before}, and {hidden}; for another cluster than that choose another "
        "--output"
    )
    raise type(hidden)(msg)


def _check_terms(root: Path, latest: Snapshot | None, origin: Origin) -> bool:
    """Check that rows of this origin may stand in the dataset; return whether they replace demo data."""
    if replaces_sandbox(root, latest, origin.source):
        return True
    if latest is None:
        return False
    before = latest.manifest.origin
    if before.redactor_version > origin.redactor_version or before.schema_version > origin.schema_version:
        msg = (
            f"{root}: published by a later version of etl (schema {before.schema_version}, redactor "
            f"{before.redactor_version}; this one has {origin.schema_version} and {origin.redactor_version}); "
            "upgrade etl"
        )
        raise UsageError(msg)
    return False


def _check_link(storage: Storage, latest: Snapshot | None) -> None:
    """Refuse to take unlinked snapshots for leftovers where the link itself was lost."""
    if latest is not None:
        return
    for name in reversed(run_ids(storage.layout.snapshots)):
        if was_published(storage.layout, snapshot_of(storage.layout.root, name).manifest):
            remedy = mended_pointer(storage.layout.root, f"snapshots/{name}")
            msg = f"{shown_pointer(storage.layout.root)}: missing, though snapshots were published; {remedy}"
            raise OutputError(msg)


def _remove_leftovers(storage: Storage) -> None:
    """Remove what was being built or taken apart."""
    layout = storage.layout
    for folder in (layout.snapshots, layout.runs):
        for path in leftovers(folder):
            storage.remove_tree(path)
    for path in (layout.link, layout.pointer):
        leftover = unfinished(path)
        if leftover.is_symlink() or leftover.exists():
            storage.remove_file(leftover)


def _discard_snapshots(storage: Storage, published: set[str]) -> tuple[str, ...]:
    """Remove snapshots that `latest` does not lead to: their batches are still staged."""
    discarded = tuple(name for name in run_ids(storage.layout.snapshots) if name not in published)
    for name in discarded:
        storage.remove_folders([storage.layout.snapshot(name)])
    return discarded
