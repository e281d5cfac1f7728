"""Finds out what is new, changed, unchanged or gone, month by month of what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.compare import differing_jobs
from etl.load.index import micros
from etl.load.layout import TMP
from etl.load.merge import ALL_TABLES, MAX_SOURCES, limit_sources
from etl.load.plan import Base, Patches, PublishPlan, Terms, reasons_to_publish
from etl.load.sources import batch_source, snapshot_source
from etl.load.staged import Fate, StagedJobs
from etl.load.stretch import JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from etl.load.keys import Bools, Int64s
    from etl.load.merge import Source
    from etl.load.staging import Batch
    from etl.load.storage import Storage

_COLUMNS = ("job_id", "created_at", "fetched_at", "not_found_at", "created_month")


def make_plan(
    storage: Storage, run_id: str, base: Base, terms: Terms, batches: Sequence[Batch], max_sources: int = MAX_SOURCES
) -> PublishPlan:
    """Compare what is staged with what is published.

    Args:
        storage: of the dataset; only the run's scratch folder is written, where batches are very many.
        run_id: of the run.
        base: what is published.
        terms: of the run.
        batches: of this run and adopted ones.
        max_sources: files read side by side.

    Raises:
        OutputError: a file cannot be read or written.
    """
    ordered = tuple(sorted(batches, key=lambda batch: (batch.manifest.run_id, batch.manifest.number)))
    planner = _Planner(storage, run_id, base, ordered, max_sources)
    planner.compare()
    staged = planner.staged
    at = base.index.keys.find(staged.keys)
    changed = staged.fates == Fate.CHANGED
    replaced = np.zeros(len(base.index), dtype=np.bool_)
    replaced[at[changed]] = True
    codes = {*staged.month_codes[staged.loaded()].tolist(), *base.index.month_codes[at[changed]].tolist()}
    return PublishPlan(
        run_id=run_id,
        base=base,
        terms=terms,
        batches=ordered,
        staged=staged,
        loaded_rows=staged.rows_of(ordered, staged.loaded()),
        replaced=replaced,
        patches=Patches.of(planner.patches),
        touched=frozenset({staged.months[code] for code in codes} | planner.patched_months),
        reasons=reasons_to_publish(base.snapshot, terms),
    )


class _Planner:
    def __init__(self, storage: Storage, run_id: str, base: Base, batches: tuple[Batch, ...], max_sources: int) -> None:
        self._storage = storage
        self._scratch = storage.layout.staged_run(run_id) / f"plan{TMP}"
        self._base = base
        self._batches = batches
        self._max_sources = max_sources
        self.staged = StagedJobs.read(batches, base.index.months)
        self.patches: dict[str, datetime] = {}
        self.patched_months: set[str | None] = set()

    def compare(self) -> None:
        """Fill in the fates of all staged jobs, and the patches."""
        missing = self._missing()
        self._decide(missing)
        loaded = (fate is not None and fate.is_loaded for fate in self.staged.fates_of(list(missing)))
        self.patches.update(
            {job_id: missing[job_id] for job_id, is_loaded in zip(missing, loaded, strict=True) if is_loaded}
        )
        if self._scratch.exists():
            self._storage.remove_tree(self._scratch)

    def _missing(self) -> dict[str, datetime]:
        """Return when the cluster first did not have a job since it was fetched last."""
        missing: dict[str, datetime] = {}
        for batch in self._batches:
            ids = list(batch.manifest.not_found)
            times = micros(pa.chunked_array([pa.array(batch.manifest.not_found.values(), pa.timestamp("us", "UTC"))]))
            places = self.staged.places_of(ids)
            since = np.ones(len(ids), dtype=np.bool_)
            since[places >= 0] = times[places >= 0] >= self.staged.fetched[places[places >= 0]]
            for job_id, is_since in zip(ids, since, strict=True):
                time = batch.manifest.not_found[job_id]
                if is_since and time <= missing.get(job_id, time):
                    missing[job_id] = time
        return missing

    def _decide(self, missing: dict[str, datetime]) -> None:
        """Decide about staged jobs that are published, and about published ones that the cluster does not have."""
        index, snapshot = self._base.index, self._base.snapshot
        pairs = index.keys.find(self.staged.keys)
        gone = index.lookup(list(missing))
        codes = np.unique(np.concatenate([index.month_codes[pairs[pairs >= 0]], index.month_codes[gone[gone >= 0]]]))
        if snapshot is None or not codes.size:
            return
        months = [index.months[code] for code in codes]
        ids = pa.array(list(missing), pa.string())
        doubtful = np.zeros(len(self.staged), dtype=np.bool_)
        unheard: list[pa.Table] = []

        def look(chunk: pa.Table) -> Bools:
            places = self.staged.places_of(chunk["job_id"])
            both = places >= 0
            alike = self._decide_by_time(chunk.filter(pa.array(both)), places[both])
            doubtful[places[both][alike]] = True
            unheard.append(chunk.filter(pc.and_(pc.is_in(chunk["job_id"], ids), pc.is_null(chunk["not_found_at"]))))
            both[both] = alike
            return both

        self._compare_rows(snapshot_source(snapshot, months, look, _COLUMNS), doubtful, (JOBS,))
        # What has changed mostly shows in sync_jobs: the rows of other tables, which are many more, are spared then.
        if doubtful.any():

            def is_doubtful(chunk: pa.Table) -> Bools:
                places = self.staged.places_of(chunk["job_id"])
                mask: Bools = (places >= 0) & doubtful[places]
                return mask

            months = [index.months[code] for code in np.unique(self.staged.month_codes[doubtful])]
            self._compare_rows(snapshot_source(snapshot, months, is_doubtful), doubtful, ALL_TABLES[1:])
        self.staged.fates[doubtful] = Fate.UNCHANGED
        for rows in unheard:
            self._patch(rows, missing)

    def _decide_by_time(self, rows: pa.Table, places: Int64s) -> Bools:
        """Decide about jobs by times alone; return which ones are left, as their rows must be compared.

        Args:
            rows: published ones.
            places: of these jobs among the staged ones.
        """
        staged = self.staged
        older = staged.fetched[places] < micros(rows["fetched_at"])
        moved = staged.created[places] != micros(rows["created_at"])
        staged.fates[places] = np.where(older, Fate.OLDER, Fate.CHANGED)
        open_: Bools = ~older & ~moved
        return open_

    def _compare_rows(self, before: Source | None, doubtful: Bools, names: Sequence[str]) -> None:
        """Compare the rows of staged jobs that may be unchanged; those that differ are not doubtful any more.

        Args:
            before: the published rows of these jobs.
            doubtful: for each staged job; changed here.
            names: of the tables.
        """
        if before is None:
            return
        masks = self.staged.rows_of(self._batches, doubtful)
        sources = [batch_source(batch, mask) for batch, mask in zip(self._batches, masks, strict=True)]
        kept = [source for source in sources if source is not None]
        read = names if JOBS in names else (JOBS, *names)
        few = limit_sources(self._storage, self._scratch, kept, self._max_sources, read)
        for ids, differs in differing_jobs(before, few, names):
            doubtful[self.staged.places_of(ids.filter(pa.array(differs)))] = False

    def _patch(self, rows: pa.Table, missing: dict[str, datetime]) -> None:
        """Note jobs that are published as if the cluster had them, and stay published, but are missing there."""
        ids = rows["job_id"].to_pylist()
        months = rows["created_month"].to_pylist()
        for job_id, month, fetched_at, fate in zip(
            ids, months, rows["fetched_at"].to_pylist(), self.staged.fates_of(ids), strict=True
        ):
            if missing[job_id] >= fetched_at and not (fate is not None and fate.is_loaded):
                self.patches[job_id] = missing[job_id]
                self.patched_months.add(month)
