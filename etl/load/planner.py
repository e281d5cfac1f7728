"""Finds out what is new, changed, unchanged or gone, month by month of what is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.compare import differing_jobs
from etl.load.index import micros
from etl.load.layout import TMP
from etl.load.merge import MAX_SOURCES, JobOrder, limit_sources
from etl.load.parquet import read_chunks
from etl.load.plan import Base, Patches, PublishPlan, Terms, reasons_to_publish
from etl.load.sources import batch_source, snapshot_source
from etl.load.staged import Fate, StagedJobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from etl.load.keys import Int64s
    from etl.load.staging import Batch
    from etl.load.storage import Storage

_COLUMNS = ("job_id", "created_at", "fetched_at", "not_found_at")


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
        loaded_rows=staged.loaded_rows(ordered),
        replaced=replaced,
        patches=Patches.of(planner.patches),
        touched=frozenset({staged.months[code] for code in codes} | planner.patched_months),
        reasons=reasons_to_publish(base.snapshot, terms),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pairs:
    """Jobs of one month that are both published and staged; one element each a job.

    Attributes:
        job_ids: of the jobs.
        created: by the published row.
        fetched: by the published row.
        places: in the staged jobs.
    """

    job_ids: pa.ChunkedArray
    created: Int64s
    fetched: Int64s
    places: Int64s


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
        index = self._base.index
        pairs = index.keys.find(self.staged.keys)
        gone = index.lookup(list(missing))
        codes = {*index.month_codes[pairs[pairs >= 0]].tolist(), *index.month_codes[gone[gone >= 0]].tolist()}
        for code in sorted(codes):
            self._compare_month(code, missing)
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

    def _compare_month(self, code: int, missing: dict[str, datetime]) -> None:
        month = self._base.index.months[code]
        ids = pa.array(list(missing), pa.string())
        pairs: list[_Pairs] = []
        gone: list[pa.Table] = []
        for chunk in self._published(month):
            places = self.staged.places_of(chunk["job_id"].to_pylist())
            both = places >= 0
            rows = chunk.filter(pa.array(both))
            pairs.append(
                _Pairs(
                    job_ids=rows["job_id"],
                    created=micros(rows["created_at"]),
                    fetched=micros(rows["fetched_at"]),
                    places=places[both],
                )
            )
            gone.append(chunk.filter(pc.and_(pc.is_in(chunk["job_id"], ids), pc.is_null(chunk["not_found_at"]))))
        self._decide(code, month, _joined(pairs))
        for rows in gone:
            self._patch(month, rows, missing)

    def _published(self, month: str | None) -> Iterator[pa.Table]:
        snapshot = self._base.snapshot
        for path in snapshot.month_files("sync_jobs", month) if snapshot else []:
            yield from read_chunks(path, "sync_jobs", columns=_COLUMNS)

    def _decide(self, code: int, month: str | None, pairs: _Pairs) -> None:
        staged = self.staged
        places = pairs.places
        older = staged.fetched[places] < pairs.fetched
        moved = (staged.month_codes[places] != code) | (staged.created[places] != pairs.created)
        staged.fates[places] = np.where(older, Fate.OLDER, Fate.CHANGED)
        alike = np.flatnonzero(~older & ~moved)
        if not alike.size:
            return
        ids = pairs.job_ids.take(pa.array(alike)).combine_chunks()
        sortable = pa.table({"created": pairs.created[alike], "job_id": ids})
        order = pc.sort_indices(sortable, sort_keys=[("created", "ascending"), ("job_id", "ascending")]).to_numpy()
        ranked = places[alike][order]
        numbers, owners = np.unique(staged.batch[ranked], return_inverse=True)
        job_order = JobOrder(job_ids=ids.take(pa.array(order)), owners=owners.astype(np.int64))
        sources = [batch_source(self._batches[number], month) for number in numbers]
        sources, job_order = limit_sources(self._storage, self._scratch, sources, job_order, self._max_sources)
        differs = differing_jobs(snapshot_source(self._base.snapshot, month), sources, job_order)
        staged.fates[ranked] = np.where(differs, Fate.CHANGED, Fate.UNCHANGED)

    def _patch(self, month: str | None, rows: pa.Table, missing: dict[str, datetime]) -> None:
        """Note jobs that are published as if the cluster had them, and stay published, but are missing there."""
        ids = rows["job_id"].to_pylist()
        for job_id, fetched_at, fate in zip(
            ids, rows["fetched_at"].to_pylist(), self.staged.fates_of(ids), strict=True
        ):
            if missing[job_id] >= fetched_at and not (fate is not None and fate.is_loaded):
                self.patches[job_id] = missing[job_id]
                self.patched_months.add(month)


def _joined(pairs: list[_Pairs]) -> _Pairs:
    if not pairs:
        return _Pairs(
            job_ids=pa.chunked_array([], pa.string()),
            created=np.empty(0, np.int64),
            fetched=np.empty(0, np.int64),
            places=np.empty(0, np.int64),
        )
    return _Pairs(
        job_ids=pa.chunked_array([chunk for pair in pairs for chunk in pair.job_ids.chunks], pa.string()),
        created=np.concatenate([pair.created for pair in pairs]),
        fetched=np.concatenate([pair.fetched for pair in pairs]),
        places=np.concatenate([pair.places for pair in pairs]),
    )
