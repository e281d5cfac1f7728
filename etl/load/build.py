"""A new snapshot: untouched files as links, touched months merged anew, everything on disk before it has its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.csv_files import csv_file
from etl.load.csv_form import FORMAT as CSV
from etl.load.keys import Keys
from etl.load.layout import MANIFEST, unfinished
from etl.load.manifest import FileEntry, SnapshotManifest, TableEntry, encode
from etl.load.merge import MAX_SOURCES, ORDER_SCHEMA, JobOrder, Source, limit_sources, merge_rows
from etl.load.parquet import FORMAT, ParquetFile, read_chunks
from etl.load.rewrite import REWRITE_JOBS, rewritten_source
from etl.load.sources import batch_source, snapshot_source
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from datetime import datetime

    from etl.load.keys import Bools
    from etl.load.plan import Patches, PublishPlan
    from etl.load.staging import Batch
    from etl.load.storage import Storage

RewriteRows: TypeAlias = Callable[[Mapping[str, pa.Table]], Mapping[str, pa.Table]]
"""Takes all tables' rows of some jobs and returns them redacted by the rules of this run."""

_ORDER_COLUMNS = ("job_id", "created_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much is read and written at once; smaller ones serve tests.

    Attributes:
        file_rows: most rows of a file.
        sources: most files that are read side by side.
        rewrite_jobs: most jobs that are redacted again at once.
    """

    file_rows: int = 250_000
    sources: int = MAX_SOURCES
    rewrite_jobs: int = REWRITE_JOBS


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotOptions:
    """What a plan does not say.

    Attributes:
        now: when the snapshot is built (UTC).
        watermark: where an incremental run resumes; any JSON.
        rewrite_rows: redacts published rows again; needed where the plan says so.
        limits: see there.
    """

    now: datetime
    watermark: Any = None
    rewrite_rows: RewriteRows | None = None
    limits: Limits = Limits()


class SnapshotBuilder:
    """Builds the snapshot that a plan asks for."""

    def __init__(self, storage: Storage, plan: PublishPlan, options: SnapshotOptions) -> None:
        if plan.redacts_again and options.rewrite_rows is None:
            msg = "the plan redacts published rows again: rewrite_rows must be given"
            raise ValueError(msg)
        self._storage = storage
        self._plan = plan
        self._options = options
        self._scratch = storage.layout.scratch(plan.run_id)
        self._final = storage.layout.snapshot(plan.run_id)
        self._folder = unfinished(self._final)
        self._files: dict[str, list[FileEntry]] = {table.name: [] for table in TABLES}

    def build(self) -> SnapshotManifest:
        """Write the snapshot and rename it into being; readers do not see it yet.

        Raises:
            OutputError: a file cannot be read or written, or the rows do not add up.
        """
        storage, plan = self._storage, self._plan
        for table in TABLES:
            storage.make_folder(self._folder / table.name)
        for month in sorted(self._months(), key=lambda month: (month is None, month or "")):
            if plan.rewrites_all or month in plan.touched:
                self._merge(month)
            else:
                self._link(month)
        for table in TABLES:
            self._stand_in(table.name)
            storage.sync_folder(self._folder / table.name)
        if CSV in plan.terms.formats:
            for name, files in self._files.items():
                former = plan.base.snapshot
                files.append(csv_file(storage, self._folder, name, files, former, raw=plan.terms.csv_raw))
        manifest = self._manifest()
        self._check(manifest)
        storage.write_file(self._folder / MANIFEST, encode(manifest))
        storage.sync_folder(self._folder)
        storage.rename(self._folder, self._final)
        return manifest

    def _months(self) -> set[str | None]:
        snapshot = self._plan.base.snapshot
        return set(self._plan.touched) | (snapshot.months() if snapshot else set())

    def _link(self, month: str | None) -> None:
        for name in self._files:
            for entry in self._former(name):
                if entry.rows and entry.month == month:
                    self._keep(name, entry)

    def _former(self, name: str) -> tuple[FileEntry, ...]:
        """Return the files that a table has had so far."""
        snapshot = self._plan.base.snapshot
        return snapshot.entries(name) if snapshot else ()

    def _keep(self, name: str, entry: FileEntry) -> None:
        """Let a file that does not change stand in the new snapshot, under its name."""
        snapshot = self._plan.base.snapshot
        if snapshot is not None:
            self._storage.link(snapshot.folder / entry.path, self._folder / entry.path)
            self._files[name].append(entry)

    def _merge(self, month: str | None) -> None:
        sources, order = self._sources(month)
        if not len(order):
            return
        sources, order = limit_sources(self._storage, self._scratch, sources, order, self._options.limits.sources)
        for name, files in self._files.items():
            rows: Iterator[pa.Table] = (chunk for chunk, _ in merge_rows(name, sources, order))
            if name == "sync_jobs" and len(self._plan.patches):
                rows = (_patched(chunk, self._plan.patches) for chunk in rows)
            files.extend(self._write(name, month, rows))
        if self._scratch.exists():  # a month at a time, so that a rewrite of all needs no second dataset's space
            self._storage.remove_tree(self._scratch)

    def _sources(self, month: str | None) -> tuple[list[Source], JobOrder]:
        """Return the sources of a month's rows and the order of its jobs."""
        plan, limits = self._plan, self._options.limits
        jobs = [self._kept_jobs(month)]
        source = snapshot_source(plan.base.snapshot, month)
        if plan.redacts_again and self._options.rewrite_rows is not None:
            kept = JobOrder.of(jobs)
            rewrite = self._options.rewrite_rows
            source = rewritten_source(self._storage, self._scratch, source, kept, rewrite, limits.rewrite_jobs)
        sources = [source]
        for batch, loaded in zip(plan.batches, plan.loaded_rows, strict=True):
            for part in batch.months():
                mask = loaded[part.first_row : part.first_row + part.rows]
                if part.month == month and mask.any():
                    jobs.append(_staged_jobs(batch, month, mask, len(sources)))
                    sources.append(batch_source(batch, month))
        return sources, JobOrder.of(jobs)

    def _kept_jobs(self, month: str | None) -> pa.Table:
        plan = self._plan
        kept = [ORDER_SCHEMA.empty_table()]
        for path in plan.base.snapshot.month_files("sync_jobs", month) if plan.base.snapshot else []:
            for chunk in read_chunks(path, "sync_jobs", columns=_ORDER_COLUMNS):
                at = plan.base.index.keys.find(Keys.of(chunk["job_id"].to_pylist()))
                kept.append(_owned(chunk.filter(pa.array(~plan.replaced[at])), 0))
        return pa.concat_tables(kept)

    def _write(self, name: str, month: str | None, chunks: Iterator[pa.Table]) -> list[FileEntry]:
        """Write a month's rows to as many files as they need."""
        entries: list[FileEntry] = []
        most = self._options.limits.file_rows
        chunk = next(chunks, None)
        while chunk is not None:
            path = f"{name}/{month or 'undated'}_{self._plan.run_id}_{len(entries)}.{FORMAT}"
            with ParquetFile(self._storage, self._folder / path, arrow_schema(name)) as file:
                while chunk is not None and file.rows < most:
                    part = chunk.slice(0, most - file.rows)
                    file.write(part)
                    rest = chunk.slice(part.num_rows)
                    chunk = rest if rest.num_rows else next(chunks, None)
                written = file.close()
            entries.append(
                FileEntry(path=path, month=month, rows=written.rows, bytes=written.bytes, sha256=written.sha256)
            )
        return entries

    def _stand_in(self, name: str) -> None:
        """Give a table without rows its one file, so that a plain read finds its columns."""
        if self._files[name]:
            return
        former = self._former(name)
        if len(former) == 1 and not former[0].rows and not self._plan.rewrites_all:
            self._keep(name, former[0])
            return
        path = f"{name}/empty_{self._plan.run_id}_0.{FORMAT}"
        with ParquetFile(self._storage, self._folder / path, arrow_schema(name)) as file:
            written = file.close()
        self._files[name].append(FileEntry(path=path, month=None, rows=0, bytes=written.bytes, sha256=written.sha256))

    def _manifest(self) -> SnapshotManifest:
        plan = self._plan
        carried = plan.base.snapshot.manifest.watermark if plan.base.snapshot else None
        return SnapshotManifest(
            run_id=plan.run_id,
            parent=plan.base.latest,
            created_at=self._options.now,
            origin=plan.terms.origin,
            formats=plan.terms.formats,
            csv_raw=plan.terms.csv_raw,
            watermark=carried if self._options.watermark is None else self._options.watermark,
            batches=tuple(batch.batch_id for batch in plan.batches),
            tables={
                name: TableEntry(rows=sum(entry.rows for entry in files if entry.format == FORMAT), files=tuple(files))
                for name, files in self._files.items()
            },
        )

    def _check(self, manifest: SnapshotManifest) -> None:
        expected = self._plan.kept + int(np.count_nonzero(self._plan.staged.loaded()))
        if manifest.tables["sync_jobs"].rows != expected:
            msg = (
                f"{self._final}: {manifest.tables['sync_jobs'].rows} jobs where {expected} were due; nothing is "
                "published; see `etl verify`"
            )
            raise OutputError(msg)


def _staged_jobs(batch: Batch, month: str | None, mask: Bools, position: int) -> pa.Table:
    chunks = batch.month_chunks("sync_jobs", month, len(mask), _ORDER_COLUMNS)
    rows = pa.concat_tables(list(chunks))
    return _owned(rows.filter(pa.array(mask)), position)


def _owned(rows: pa.Table, position: int) -> pa.Table:
    owner = pa.array(np.full(rows.num_rows, position, np.int32))
    return pa.Table.from_arrays([rows["job_id"], rows["created_at"], owner], schema=ORDER_SCHEMA)


def _patched(rows: pa.Table, patches: Patches) -> pa.Table:
    """Set `not_found_at` of the jobs that the plan names; it has looked at what stands there."""
    times = patches.times.take(pc.index_in(rows["job_id"], value_set=patches.job_ids).combine_chunks())
    position = rows.column_names.index("not_found_at")
    return rows.set_column(position, rows.schema.field(position), pc.coalesce(times, rows["not_found_at"]))
