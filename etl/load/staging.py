"""Batches on disk before they are published: written to a temporary name, flushed, and renamed by the parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import OutputError
from etl.load.layout import BATCH_MANIFEST, TMP, is_batch_number, is_run_id
from etl.load.manifest import BatchManifest, Origin, StagedTable, encode, read_manifest
from etl.load.merge import small_stretches
from etl.load.place import in_store, is_there, side_by_side, sizes_in
from etl.load.pool import give_back_memory
from etl.load.stretch import JOBS, Stretch, one_batch
from etl.load.stretch_files import read_stretches, stretches_path, write_stretches
from etl.schema.arrow import SCHEMA_VERSION, arrow_schema
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from etl.load.storage import Storage
    from etl.model import Provenance, StagedBatch
    from etl.schema.declare import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedSummary:
    """What a worker tells of a batch that it staged; small and picklable.

    Attributes:
        run_id: of the run.
        number: of the batch.
        jobs: number of jobs with rows.
        not_found: number of ids that the cluster does not have.
        rows: of each table that has some.
        bytes: of all files.
        attempt: which of several attempts at the batch it is; empty where there is only one at a time.
    """

    run_id: str
    number: int
    jobs: int
    not_found: int
    rows: dict[str, int]
    bytes: int
    attempt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A renamed batch.

    Attributes:
        folder: where it stands.
        manifest: what it holds.
    """

    folder: Path
    manifest: BatchManifest

    @property
    def batch_id(self) -> str:
        """`<run_id>/<n>`."""
        return self.manifest.batch_id

    def jobs(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns of sync_jobs, of all jobs at once, for a batch is small; none where there is no job.

        Raises:
            OutputError: the file cannot be read.
        """
        parts = [
            part.tables[JOBS].select(columns) for part in read_stretches(self.folder, self.manifest.stretches, (JOBS,))
        ]
        if parts:
            yield pa.concat_tables(parts).combine_chunks()

    def whole(self) -> bool:
        """Tell whether its files are there in the sizes that the manifest names."""
        sizes = sizes_in(self.folder, [stretches_path(self.folder, name) for name in self.manifest.tables])
        return sizes == [table.bytes for table in self.manifest.tables.values()]


def stage(
    storage: Storage, run_id: str, provenance: Provenance, batch: StagedBatch, *, attempt: str = ""
) -> StagedSummary:
    """Write a batch under its temporary name, in full and flushed to disk; `commit_batch` makes it exist.

    Args:
        storage: of the dataset.
        run_id: of the run.
        provenance: of the rows.
        batch: the rows, every table in its exact schema, each job at most once; its rows in other tables belong to
            jobs in sync_jobs.
        attempt: part of the temporary name, where a worker that is taken for dead may still write the same batch.

    Raises:
        OutputError: the disk is full, or refuses.
        ValueError: the tables break the contract.
    """
    give_back_memory()
    folder = _being_written(storage, run_id, batch.number, attempt)
    if folder.exists():  # a worker died in this batch, and it is done again
        storage.remove_tree(folder)
    storage.make_folder(folder, private=True)
    jobs = _ordered_jobs(batch.tables.get(JOBS, arrow_schema(JOBS).empty_table()))
    whole = Stretch.of(
        {
            table.name: one_batch(
                _sorted(table, batch.tables.get(table.name, arrow_schema(table.name).empty_table()), jobs)
            )
            for table in TABLES
        }
    )
    stretches = write_stretches(storage, folder, small_stretches(whole))
    manifest = BatchManifest(
        run_id=run_id,
        number=batch.number,
        origin=Origin.of(provenance, SCHEMA_VERSION),
        jobs=len(jobs),
        tables={name: StagedTable(rows=stretches.rows[name], bytes=size) for name, size in stretches.bytes.items()},
        stretches=stretches.stretches,
        not_found=dict(batch.not_found),
    )
    written = storage.write_file(folder / BATCH_MANIFEST, encode(manifest), private=True)
    storage.sync_folder(folder)
    return StagedSummary(
        run_id=run_id,
        number=batch.number,
        jobs=len(jobs),
        not_found=len(batch.not_found),
        rows=stretches.rows,
        bytes=written.bytes + sum(stretches.bytes.values()),
        attempt=attempt,
    )


def _being_written(storage: Storage, run_id: str, number: int, attempt: str) -> Path:
    """Return the temporary name of a batch."""
    final = storage.layout.batch(run_id, number)
    return final.with_name("-".join([final.name, *([attempt] if attempt else [])]) + TMP)


def commit_batch(storage: Storage, run_id: str, number: int, attempt: str = "") -> None:
    """Rename a staged batch into being. Only the run that holds the lock does this.

    Raises:
        OutputError: the file system refuses.
    """
    storage.rename(_being_written(storage, run_id, number, attempt), storage.layout.batch(run_id, number))


def open_batch(storage: Storage, run_id: str, number: int) -> Batch:
    """Open a renamed batch.

    Raises:
        OutputError: it is not there in full.
    """
    batch = _read_batch(storage.layout.batch(run_id, number))
    if batch is None:
        msg = (
            f"{storage.layout.batch(run_id, number)}: damaged since it was staged; check the file system and run again"
        )
        raise OutputError(msg)
    return batch


def read_batches(storage: Storage) -> tuple[list[Batch], int]:
    """Return the renamed batches of all runs, by run and number; unfinished and broken ones are removed.

    Returns:
        The batches, and how many were there that could not be read.

    Raises:
        OutputError: the file system refuses.
    """
    batches: list[Batch] = []
    broken = 0
    staging = storage.layout.staging
    for run in sorted(staging.iterdir()) if staging.is_dir() else ():
        if not is_run_id(run.name):
            continue
        folders = [folder for folder in sorted(run.iterdir()) if is_batch_number(folder.name)]
        for folder, batch in zip(folders, side_by_side(run, _read_batch, folders), strict=True):
            if batch is not None:
                batches.append(batch)
            elif in_store(folder) is not None and not is_there(folder, BATCH_MANIFEST):  # a run died in its commit
                storage.remove_tree(folder)
            else:
                storage.remove_folders([folder])
                broken += 1
        sweep(storage, run)
    batches.sort(key=lambda batch: (batch.manifest.run_id, batch.manifest.number))
    return batches, broken


def remove_batches(storage: Storage, batches: Sequence[Batch]) -> None:
    """Remove batches, and the folders of runs that have none left.

    Raises:
        OutputError: the file system refuses.
    """
    storage.remove_folders([batch.folder for batch in batches])
    for run in sorted({batch.folder.parent for batch in batches}):
        sweep(storage, run)


def sweep(storage: Storage, run: Path) -> None:
    """Remove what is temporary in the staging folder of a run, and the folder itself where no batch is left in it.

    Raises:
        OutputError: the file system refuses.
    """
    if not run.is_dir():
        return
    for path in sorted(run.iterdir()):
        if path.name.endswith(TMP):
            if path.is_dir():
                storage.remove_folders([path])  # by its name first: whoever still writes into it finds it no more
            elif path.exists():
                storage.remove_file(path)
    if not any(run.iterdir()):
        storage.remove_tree(run)


def _read_batch(folder: Path) -> Batch | None:
    try:
        manifest = read_manifest(folder / BATCH_MANIFEST, BatchManifest, remedy="its ids are fetched again")
    except OutputError:
        return None
    batch = Batch(folder=folder, manifest=manifest)
    return batch if batch.whole() else None


def _ordered_jobs(jobs: pa.Table) -> pa.Table:
    """Return ids and months of jobs in the order of the rows: by creation, undated ones last, then by id."""
    keys = [("created_at", "ascending"), ("job_id", "ascending")]
    ordered = jobs.select(["created_month", "created_at", "job_id"]).sort_by(keys).combine_chunks()
    if pc.count_distinct(ordered["job_id"]).as_py() != len(ordered):
        msg = "sync_jobs: a job stands twice in one batch"
        raise ValueError(msg)
    return ordered


def _sorted(table: Table, rows: pa.Table, jobs: pa.Table) -> pa.Table:
    schema = arrow_schema(table.name)
    if not rows.schema.equals(schema):
        msg = f"{table.name}: the rows of the batch are not in the table's schema"
        raise ValueError(msg)
    if any(rows[column.name].null_count for column in table.columns if not column.nullable):
        msg = f"{table.name}: a column that always holds a value is null in a row of the batch"
        raise ValueError(msg)
    ranks = pc.index_in(rows["job_id"], value_set=jobs["job_id"].combine_chunks())
    if ranks.null_count:
        msg = f"{table.name}: a row belongs to a job that is not in the batch"
        raise ValueError(msg)
    if not jobs["created_month"].take(ranks).combine_chunks().equals(rows["created_month"].combine_chunks()):
        msg = f"{table.name}: a row does not stand in the month of its job"
        raise ValueError(msg)
    return sort_rows(table, rows, ranks)


def sort_rows(table: Table, rows: pa.Table, ranks: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Sort rows by the rank of their job, then by key."""
    keys = [name for name in table.key if name != "job_id"]
    sortable = pa.table({"rank": ranks, **{f"key {name}": rows[name] for name in keys}})
    return rows.take(pc.sort_indices(sortable, sort_keys=[(name, "ascending") for name in sortable.column_names]))
