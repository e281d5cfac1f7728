"""What lies between two snapshots: jobs that came, went or changed. Only months with other files are read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from etl.errors import UsageError
from etl.load.compare import differing_jobs
from etl.load.folders import run_ids
from etl.load.layout import Layout
from etl.load.parquet import read_chunks
from etl.load.reader import Snapshot, open_snapshot, snapshot_of
from etl.load.sources import snapshot_source
from etl.load.stretch import month_order
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from etl.load.keys import Bools

_COLUMNS = ("job_id", "created_at", "status")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The way from one snapshot to another.

    Attributes:
        before: run id of the one.
        after: run id of the other.
        added: ids of jobs that only the other has, sorted.
        removed: ids of jobs that only the one has, sorted.
        changed: ids of jobs whose rows differ in any table, but for `fetched_at`, sorted.
        statuses: (status before, status after) → number of changed jobs, where these differ.
        rows: table → (rows before, rows after).
        formats: formats of the tables (before, after).
    """

    before: str
    after: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    statuses: dict[tuple[str | None, str | None], int]
    rows: dict[str, tuple[int, int]]
    formats: tuple[tuple[str, ...], tuple[str, ...]]

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {
            "before": self.before,
            "after": self.after,
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
            "statuses": [
                {"before": before, "after": after, "jobs": count} for (before, after), count in self.statuses.items()
            ],
            "rows": {name: {"before": before, "after": after} for name, (before, after) in self.rows.items()},
            "formats": {"before": list(self.formats[0]), "after": list(self.formats[1])},
        }


def named_snapshot(root: Path, name: str) -> Snapshot:
    """Return the snapshot of a run id, of the beginning of one, or of `latest` or `previous`.

    Raises:
        UsageError: there is none of that name, or several.
        OutputError: it cannot be read.
    """
    folder = Layout(root).snapshots
    there = run_ids(folder)
    latest = open_snapshot(root)
    by_word = {} if latest is None else {"latest": latest.run_id, "previous": str(latest.manifest.parent)}
    words = [word for word, run_id in by_word.items() if run_id in there]
    if latest is not None and name == "latest":
        return latest
    if name in words:
        return snapshot_of(root, by_word[name])
    found = [run_id for run_id in there if name and run_id.startswith(name)]
    if len(found) == 1:
        return snapshot_of(root, found[0])
    problem = "no snapshot" if not found else "several snapshots"
    choice = ", ".join([*words, *there]) or "(none)"
    msg = f"{name or repr(name)}: {problem} of that name in {folder}; choose of {choice}"
    raise UsageError(msg)


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """Compare two snapshots job by job.

    Memory grows with the jobs of the months that differ, not with the dataset.

    Raises:
        OutputError: a file cannot be read.
    """
    months = sorted(_differing_months(before, after), key=month_order)
    old = {job.job_id: job for month in months for job in _jobs(before, month)}
    new = {job.job_id: job for month in months for job in _jobs(after, month)}
    changed = {job_id for job_id in old.keys() & new.keys() if not old[job_id].stands_as(new[job_id])}

    def alike(chunk: pa.Table) -> Bools:
        ids = chunk["job_id"].to_pylist()
        return np.array([i in old and i in new and old[i].stands_as(new[i]) for i in ids], dtype=np.bool_)

    if (old_rows := snapshot_source(before, months, alike)) and (new_rows := snapshot_source(after, months, alike)):
        for ids, differs in differing_jobs(old_rows, [new_rows]):
            changed.update(ids.filter(pa.array(differs)).to_pylist())
    statuses = Counter(
        (old[job_id].status, new[job_id].status) for job_id in changed if old[job_id].status != new[job_id].status
    )
    return Difference(
        before=before.run_id,
        after=after.run_id,
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(changed)),
        statuses=dict(statuses.most_common()),
        rows={table.name: (before.rows(table.name), after.rows(table.name)) for table in TABLES},
        formats=(before.manifest.formats, after.manifest.formats),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    job_id: str
    month: str | None
    created_at: datetime | None
    status: str | None

    def stands_as(self, other: _Job) -> bool:
        """Whether both stand at the same place in the order of rows."""
        return self.month == other.month and self.created_at == other.created_at


def _differing_months(before: Snapshot, after: Snapshot) -> set[str | None]:
    """Return the months in which a file of any table differs; files never change, so equal hashes are equal rows."""
    months: set[str | None] = set()
    for table in TABLES:
        old, new = (
            {(entry.month, entry.sha256) for entry in snapshot.entries(table.name)} for snapshot in (before, after)
        )
        months.update(month for month, _ in old ^ new)
    return months


def _jobs(snapshot: Snapshot, month: str | None) -> Iterator[_Job]:
    for path in snapshot.month_files("sync_jobs", month):
        for chunk in read_chunks(path, "sync_jobs", columns=_COLUMNS):
            for row in chunk.to_pylist():
                yield _Job(month=month, **row)
