"""A new snapshot: untouched files as links, touched months merged anew, everything on disk before it has its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from etl.errors import OutputError
from etl.load.csv_files import csv_file
from etl.load.csv_form import FORMAT as CSV
from etl.load.grouping import Span, grouped
from etl.load.keys import Keys
from etl.load.layout import MANIFEST
from etl.load.manifest import FileEntry, SnapshotManifest, TableEntry, encode
from etl.load.merge import MAX_SOURCES
from etl.load.merging import Here, Merger, MonthGroup, Spread
from etl.load.parquet import FORMAT, ParquetFile
from etl.load.rewrite import RewriteRows, rewritten_source
from etl.load.sources import batch_source, snapshot_source
from etl.load.stretch import JOBS, month_order
from etl.schema.arrow import arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from datetime import datetime

    import pyarrow as pa

    from etl.load.keys import Bools
    from etl.load.merge import Source
    from etl.load.plan import PublishPlan
    from etl.load.storage import Storage


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
        spread: merges months in several places at once.
    """

    now: datetime
    watermark: Any = None
    rewrite_rows: RewriteRows | None = None
    limits: Limits = Limits()
    spread: Spread = field(default_factory=Here)


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
        plan, limits, spread = self._plan, self._options.limits, self._options.spread
        merger = Merger(
            storage=self._storage,
            run_id=plan.run_id,
            patches=plan.patches,
            file_rows=limits.file_rows,
            most_sources=limits.sources,
        )
        jobs = self._jobs_of(months)
        parts = grouped(jobs, spread.groups(sum(jobs.values())))
        # Made when they are taken: together they are as many as there are batches, times as there are groups.
        groups = (
            MonthGroup(number=number, sources=tuple(self._sources(group, span)))
            for number, (group, span) in enumerate(parts)
        )
        if len(parts) == 1:
            merged = [merger.merge_into(self._folder, next(groups), self._scratch)]
        else:
            merged = sorted(spread.merge(merger, groups, len(parts)), key=lambda group: group.number)
        for group in merged:
            for name, files in group.files.items():
                self._files[name].extend(files)
                for entry in files if group.folder != self._folder else ():
                    self._storage.move(group.folder / entry.path, self._folder / entry.path)
        if self._scratch.exists():
            self._storage.remove_tree(self._scratch)

    def _jobs_of(self, months: Sequence[str | None]) -> dict[str | None, int]:
        """Return how many jobs stand in months, before and after; those that are replaced count twice."""
        staged = self._plan.staged
        codes = np.bincount(staged.month_codes[staged.loaded()], minlength=len(staged.months))
        jobs = dict.fromkeys(months, 0) | dict(zip(staged.months, codes.tolist(), strict=True))
        for entry in self._former(JOBS):
            jobs[entry.month] = jobs.get(entry.month, 0) + entry.rows
        return {month: jobs[month] for month in months}

    def _sources(self, months: Sequence[str | None], span: Span) -> list[Source]:
        """Return the sources of the rows of some months, which are those of a time."""
        plan = self._plan
        batches = zip(plan.batches, plan.loaded_rows, strict=True)
        sources = [batch_source(batch, loaded, span) for batch, loaded in batches]
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
