"""Small jobs, whole runs on a real folder, and a storage that records its steps and can die in any of them."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from etl.load.layout import Layout
from etl.load.prune import Retention
from etl.load.reader import Snapshot, open_snapshot
from etl.load.runs import RunRecord
from etl.load.staging import stage
from etl.load.steps import Step
from etl.load.storage import Storage
from etl.load.writer import Closing, Opening, Writer
from etl.model import IdRecord, Outcome, Provenance, StagedBatch
from etl.schema.arrow import arrow_schema, schema_fingerprint
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from etl.load.plan import PublishPlan

NOW = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(day: int = 1, hour: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job's rows: as many child rows as the numbers say."""

    id: str
    created_at: datetime | None = field(default_factory=at)
    fetched_at: datetime = NOW
    status: str | None = "completed"
    completed_at: datetime | None = None
    error: str | None = None
    last_seen: datetime | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    rules: int = 0
    messages: Sequence[list[str | None] | None] = ()
    issues: int = 0

    @property
    def month(self) -> str | None:
        return None if self.created_at is None else f"{self.created_at:%Y-%m}"

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [row | {"job_id": self.id, "created_month": self.month} for row in self._rows(name)]

    def _rows(self, name: str) -> list[dict[str, Any]]:
        match name:
            case "sync_jobs":
                times = {"created_at": self.created_at, "completed_at": self.completed_at, "last_seen": self.last_seen}
                return [{"status": self.status, "error": self.error, "fetched_at": self.fetched_at, **times}]
            case "connectors":
                return [{"index_name": f"index of {self.id}"}]
            case "connector_configuration":
                return [
                    {"field": name, "value": value, "is_redacted": value is None} for name, value in self.fields.items()
                ]
            case "filtering":
                return [{"filtering_index": 0}] if self.rules or self.messages else []
            case "filtering_rules":
                return [{"filtering_index": 0, "rule_index": n, "rule_id": f"rule {n}"} for n in range(self.rules)]
            case "filtering_validation_errors":
                return [
                    {"filtering_index": 0, "error_index": n, "messages": messages}
                    for n, messages in enumerate(self.messages)
                ]
            case _:
                return [{"path": f"/{n:02}", "problem": "not a whole number"} for n in range(self.issues)]


def tables_of(jobs: Iterable[Job]) -> dict[str, pa.Table]:
    kept = list(jobs)
    return {
        table.name: pa.Table.from_pylist(
            [row for job in kept for row in job.rows(table.name)], schema=arrow_schema(table.name)
        )
        for table in TABLES
    }


def provenance_of(**changes: Any) -> Provenance:
    plain = Provenance(source="cluster-1", schema_fingerprint=schema_fingerprint(), redactor_version=1)
    return replace(plain, **changes)


class Killed(BaseException):
    """The process dies here."""


class TracedStorage(Storage):
    """Records every step; from step number `stop_at` on (from 0) each one raises, as for a process that is gone."""

    def __init__(self, root: Path, *, stop_at: int | None = None, full: bool = False) -> None:
        super().__init__(root)
        self.trace: list[tuple[Step, Path, Path | None]] = []
        self.stop_at = stop_at
        self.full = full

    def _step(self, kind: Step, path: Path, target: Path | None) -> None:
        if self.stop_at is not None and len(self.trace) >= self.stop_at:
            if not self.full:
                raise Killed
            if kind not in {Step.REMOVE_FILE, Step.REMOVE_FOLDER}:
                raise OSError(errno.ENOSPC, "No space left on device")
        self.trace.append((kind, path, target))


_SERIAL = iter(range(1 << 24))


def run_id_at(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}-{next(_SERIAL):06x}"


@dataclass
class Run:
    """What a run does here; every step of it may be the last."""

    storage: Storage
    now: datetime = NOW
    run_id: str = ""
    provenance: Provenance = field(default_factory=provenance_of)
    settle: timedelta = HOUR
    retention: Retention = field(default_factory=Retention)
    opening: Mapping[str, Any] = field(default_factory=dict)
    publishing: Mapping[str, Any] = field(default_factory=dict)
    plan: PublishPlan | None = None

    def __post_init__(self) -> None:
        self.run_id = self.run_id or run_id_at(self.now)

    def open(self) -> Writer:
        opening = Opening(
            run_id=self.run_id,
            now=self.now,
            provenance=self.provenance,
            settle=self.settle,
            retention=self.retention,
            **self.opening,
        )
        return Writer.open(self.storage, opening)

    def stage(self, writer: Writer, *batches: Sequence[Job], not_found: Mapping[str, datetime] | None = None) -> None:
        for number, jobs in enumerate(batches):
            missing = (not_found or {}) if number == 0 else {}
            batch = StagedBatch(number=number, tables=tables_of(jobs), not_found=missing)
            writer.commit(stage(self.storage, self.run_id, self.provenance, batch))

    def die_after_staging(self, *batches: Sequence[Job], not_found: Mapping[str, datetime] | None = None) -> None:
        with self.open() as writer:
            self.stage(writer, *batches, not_found=not_found)

    def publish(self, *batches: Sequence[Job], not_found: Mapping[str, datetime] | None = None) -> Closing:
        with self.open() as writer:
            self.stage(writer, *batches, not_found=not_found)
            self.plan = writer.plan()
            ids = [job.id for jobs in batches for job in jobs]
            fates = zip(ids, self.plan.fates_of(ids), strict=True)
            outcomes = [
                IdRecord(
                    id=job_id,
                    outcome=Outcome.LOADED if fate and fate.is_loaded else Outcome.UNCHANGED,
                    attempts=1,
                    fetched_at=self.now,
                )
                for job_id, fate in fates
            ]
            record = RunRecord(
                source=self.provenance.source, started_at=self.now, ended_at=self.now, exit_code=0, outcomes=outcomes
            )
            return writer.publish(self.plan, record, now=self.now, **self.publishing)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def storage(root: Path) -> TracedStorage:
    return TracedStorage(root)


def published(root: Path) -> Snapshot:
    snapshot = open_snapshot(root)
    assert snapshot is not None
    return snapshot


def contents(root: Path) -> dict[str, list[dict[str, Any]]]:
    """All published rows, in the order in which they stand within a month."""
    snapshot = published(root)
    return {table.name: sorted_by_month(snapshot.read(table.name)) for table in TABLES}


def sorted_by_month(rows: pa.Table) -> list[dict[str, Any]]:
    return sorted(rows.to_pylist(), key=lambda row: (row["created_month"] is None, row["created_month"] or ""))


def expected(jobs: Iterable[Job], not_found: Mapping[str, datetime] | None = None) -> dict[str, list[dict[str, Any]]]:
    """The rows of jobs as a dataset must hold them: the plain way, by sorting everything."""

    def place(job: Job) -> tuple[bool, datetime, str]:
        return job.created_at is None, job.created_at or NOW, job.id

    ordered = sorted(jobs, key=place)
    found = {name: rows.to_pylist() for name, rows in tables_of(ordered).items()}
    for name, rows in found.items():
        keys = [key for key in next(table for table in TABLES if table.name == name).key if key != "job_id"]
        ranks = {job.id: rank for rank, job in enumerate(ordered)}
        rows.sort(key=lambda row, keys=keys, ranks=ranks: (ranks[row["job_id"]], *(row[key] for key in keys)))
    for row in found["sync_jobs"]:
        row["not_found_at"] = (not_found or {}).get(row["job_id"])
    return found


def assert_whole(root: Path) -> Snapshot:
    """`latest` leads to a snapshot whose files are there, and are what the manifest says."""
    snapshot = published(root)
    listed = set()
    for table in TABLES:
        for entry in snapshot.manifest.tables[table.name].files:
            content = (snapshot.folder / entry.path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry.sha256
            assert len(content) == entry.bytes
            listed.add(entry.path)
    there = {path.relative_to(snapshot.folder).as_posix() for path in snapshot.folder.rglob("*") if path.is_file()}
    assert there == listed | {"_manifest.json"}
    return snapshot


def assert_tidy(root: Path) -> None:
    """Nothing is left of what was being done."""
    layout = Layout(root)
    assert [path for path in root.rglob("*") if path.name.endswith(".tmp")] == []
    assert not layout.staging.is_dir() or list(layout.staging.iterdir()) == []
    assert not (layout.link.is_symlink() and layout.pointer.exists())


def assert_declared(schema: pa.Schema, name: str) -> None:
    """The schema is the table's own. (Parquet renames the inner field of a list, which no reader looks at.)"""
    declared = arrow_schema(name)
    assert schema.equals(declared)
    assert schema.metadata == declared.metadata
    assert [field.metadata for field in schema] == [field.metadata for field in declared]
