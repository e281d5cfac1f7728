"""A new snapshot: untouched files as links, touched months merged anew, everything on disk before it has its name."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.csv_files import csv_file
from etl.load.csv_form import FORMAT as CSV
from etl.load.keys import Keys
from etl.load.layout import MANIFEST
from etl.load.manifest import FileEntry, SnapshotManifest, TableEntry, encode
from etl.load.merge import MAX_SOURCES, bounds_of, limit_sources, windows
from etl.load.parquet import FORMAT, ParquetFile
from etl.load.rewrite import RewriteRows, rewritten_source
from etl.load.sources import batch_source, snapshot_source
from etl.load.stretch import JOBS, month_order
from etl.load.table_files import TableFiles
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import datetime

    from etl.load.keys import Bools
    from etl.load.merge import Source
    from etl.load.plan import Patches, PublishPlan
    from etl.load.storage import Storage
    from etl.load.stretch import Stretch


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much is read and written at once; smaller ones serve tests.

    Attributes:
        file_rows: most rows of a file.
        sources: most batches that are read side by side.
    """

    file_rows: int = 250_000
    sources: int = MAX_SOURCES


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
        self._folder = storage.being_built(self._final)
        self._files: dict[str, list[FileEntry]] = {table.name: [] for table in TABLES}

    def build(self) -> SnapshotManifest:
        """Write the snapshot and rename it into being; readers do not see it yet.

        Raises:
            OutputError: a file cannot be read or written, or the rows do not add up.
        """
        storage, plan = self._storage, self._plan
        for table in TABLES:
            storage.make_folder(self._folder / table.name)
        merged = {month for month in self._months() if plan.rewrites_all or month in plan.touched}
        self._link_all_but(merged)
        self._merge(sorted(merged, key=month_order))
        for table in TABLES:
            self._files[table.name].sort(key=lambda entry: month_order(entry.month))
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

    def _link_all_but(self, months: Container[str | None]) -> None:
        for name in self._files:
            for entry in self._former(name):
                if entry.rows and entry.month not in months:
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

    def _merge(self, months: Sequence[str | None]) -> None:
        limits = self._options.limits
        sources = limit_sources(self._storage, self._scratch, self._sources(months), limits.sources)
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(
                    TableFiles(self._storage, self._folder, name, run_id=self._plan.run_id, file_rows=limits.file_rows)
                )
                for name in self._files
            }
            for window in windows(sources, bounds_of(sources)):
                self._write(window, files)
                del window  # its memory is needed for the next one
            for name, file in files.items():
                self._files[name].extend(file.close())
        if self._scratch.exists():
            self._storage.remove_tree(self._scratch)

    def _write(self, window: Stretch, files: Mapping[str, TableFiles]) -> None:
        """Write a window, month by month."""
        runs = pc.run_end_encode(window.parts[JOBS].rows.column("created_month"))
        ends = runs.run_ends.to_pylist()
        for month, first, last in zip(runs.values.to_pylist(), [0, *ends[:-1]], ends, strict=True):
            for name, rows in window.cut(first, last).tables.items():
                patched = name == JOBS and len(self._plan.patches)
                files[name].write(month, _patched(rows, self._plan.patches) if patched else rows)

    def _sources(self, months: Sequence[str | None]) -> list[Source]:
        """Return the sources of the rows of some months."""
        plan = self._plan
        sources = [batch_source(batch, loaded) for batch, loaded in zip(plan.batches, plan.loaded_rows, strict=True)]
        if plan.base.snapshot is not None:
            kept = snapshot_source(plan.base.snapshot, months, self._is_kept)
            rewrite = self._options.rewrite_rows if plan.redacts_again else None
            sources.append(rewritten_source(kept, rewrite) if kept and rewrite else kept)
        return [source for source in sources if source is not None]

    def _is_kept(self, chunk: pa.Table) -> Bools:
        kept: Bools = ~self._plan.replaced[self._plan.base.index.keys.find(Keys.of(chunk["job_id"]))]
        return kept

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


def _patched(rows: pa.Table, patches: Patches) -> pa.Table:
    """Set `not_found_at` of the jobs that the plan names; it has looked at what stands there."""
    times = patches.times.take(pc.index_in(rows["job_id"], value_set=patches.job_ids).combine_chunks())
    position = rows.column_names.index("not_found_at")
    return rows.set_column(position, rows.schema.field(position), pc.coalesce(times, rows["not_found_at"]))
