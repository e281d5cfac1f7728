"""What a dataset holds: tables, times, freshness, runs, outcomes, and what is redacted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from etl.load.folders import run_ids
from etl.load.layout import Layout
from etl.load.manifest import RunManifest, RunState
from etl.load.place import located
from etl.load.reader import Snapshot, published_snapshot
from etl.load.runs import ONLY_JOINS, PrivateRecordsError, read_runs
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

_CHECKED = frozenset({RunState.PUBLISHED, RunState.UNCHANGED})


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSize:
    """Size of one table."""

    rows: int
    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What a dataset holds.

    Attributes:
        folder: of the dataset, absolute.
        source: the cluster.
        snapshot: run id of the published state.
        changed_at: when that state was built (UTC): the last change.
        checked_at: when a run last ended that published or found nothing new (UTC): the last check; None where no
            record of one is left.
        oldest: created_at of the oldest job; None where no job has one.
        newest: created_at of the newest job.
        statuses: number of jobs by status.
        gone: jobs that the cluster no longer has.
        tables: sizes by table.
        formats: of the files.
        schema_version: of the tables.
        redactor_version: of the rules.
        exposed: configuration fields whose values may be shown.
        redacted: withheld configuration fields by name, with the number of jobs, the most frequent first.
        snapshots: run ids of the states that are kept.
        runs: records of runs, newest first.
        notes: why there are not more of them.
    """

    folder: Path
    source: str
    snapshot: str
    changed_at: datetime
    checked_at: datetime | None
    oldest: datetime | None
    newest: datetime | None
    statuses: Mapping[str, int]
    gone: int
    tables: Mapping[str, TableSize]
    formats: Sequence[str]
    schema_version: int
    redactor_version: int
    exposed: Sequence[str]
    redacted: Mapping[str, int]
    snapshots: Sequence[str]
    runs: Sequence[RunManifest]
    notes: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return the overview as JSON values; times in ISO 8601."""
        return {
            "folder": str(self.folder),
            "source": self.source,
            "snapshot": self.snapshot,
            "changed_at": _iso(self.changed_at),
            "checked_at": _iso(self.checked_at),
            "oldest": _iso(self.oldest),
            "newest": _iso(self.newest),
            "statuses": dict(self.statuses),
            "gone": self.gone,
            "tables": {
                name: {"rows": size.rows, "files": size.files, "bytes": size.bytes}
                for name, size in self.tables.items()
            },
            "formats": list(self.formats),
            "schema_version": self.schema_version,
            "redactor_version": self.redactor_version,
            "exposed": list(self.exposed),
            "redacted": dict(self.redacted),
            "snapshots": list(self.snapshots),
            "runs": [
                {
                    "run_id": run.run_id,
                    "state": run.state.value,
                    "started_at": _iso(run.started_at),
                    "ended_at": _iso(run.ended_at),
                    "exit_code": run.exit_code,
                    "outcomes": run.outcomes,
                }
                for run in self.runs
            ],
            "notes": list(self.notes),
        }


def overview(path: str | Path) -> Overview:
    """Look at a dataset; only a few columns are read. To an account that may not read the records of runs it has none.

    Raises:
        OutputError: there is no dataset, or it cannot be read.
    """
    root = located(path).absolute()
    snapshot = published_snapshot(root)
    layout = Layout(root)
    runs, notes = records_or_notes(layout)
    manifest = snapshot.manifest
    oldest, newest, statuses, gone = _jobs(snapshot)
    checks = [_ended(run, snapshot) for run in runs if _has_checked(run, manifest.origin.source)]
    return Overview(
        folder=root,
        source=manifest.origin.source,
        snapshot=snapshot.run_id,
        changed_at=manifest.created_at,
        checked_at=max(checks, default=None),
        oldest=oldest,
        newest=newest,
        statuses=dict(statuses.most_common()),
        gone=gone,
        tables={table.name: _size(snapshot, table.name) for table in TABLES},
        formats=manifest.formats,
        schema_version=manifest.origin.schema_version,
        redactor_version=manifest.origin.redactor_version,
        exposed=manifest.origin.exposed,
        redacted=dict(_redacted(snapshot).most_common()),
        snapshots=run_ids(layout.snapshots),
        runs=runs[::-1],
        notes=notes,
    )


def records_or_notes(layout: Layout) -> tuple[Sequence[RunManifest], Sequence[str]]:
    """Return the records of runs, oldest first, and why there are not more: readers do without.

    Raises:
        OutputError: the folder of the records cannot be read, though this account may.
    """
    try:
        records = read_runs(layout)
    except PrivateRecordsError as error:
        return (), (str(error),)
    return records.runs, records.damaged


def _jobs(snapshot: Snapshot) -> tuple[datetime | None, datetime | None, Counter[str], int]:
    times: list[datetime] = []
    statuses: Counter[str] = Counter()
    gone = 0
    for chunk in snapshot.chunks("sync_jobs", ("created_at", "status", "not_found_at")):
        ends = pc.min_max(chunk["created_at"]).as_py()
        times += [time for time in ends.values() if time is not None]
        statuses.update(
            {(pair["values"] or "(none)"): pair["counts"] for pair in pc.value_counts(chunk["status"]).to_pylist()}
        )
        gone += chunk.num_rows - chunk["not_found_at"].null_count
    return min(times, default=None), max(times, default=None), statuses, gone


def _redacted(snapshot: Snapshot) -> Counter[str]:
    fields: Counter[str] = Counter()
    for chunk in snapshot.chunks("connector_configuration", ("field", "is_redacted")):
        withheld = chunk.filter(chunk["is_redacted"])["field"]
        fields.update({pair["values"]: pair["counts"] for pair in pc.value_counts(withheld).to_pylist()})
    return fields


def _has_checked(run: RunManifest, source: str) -> bool:
    """Tell whether a run has looked at what a source has; joining files does not."""
    return run.state in _CHECKED and run.source == source and not run.inputs.get(ONLY_JOINS)


def _ended(run: RunManifest, latest: Snapshot) -> datetime:
    """Return when a run ended; its record is written before what it publishes is built."""
    return max(run.ended_at, latest.manifest.created_at) if run.run_id == latest.run_id else run.ended_at


def _size(snapshot: Snapshot, name: str) -> TableSize:
    table = snapshot.manifest.tables.get(name)
    files = table.files if table else ()
    return TableSize(rows=snapshot.rows(name), files=len(files), bytes=sum(file.bytes for file in files))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
