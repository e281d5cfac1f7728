"""The record of a run: what was asked for, what became of each id, what to try again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.errors import OutputError
from etl.load.index import RECHECK_COLUMNS
from etl.load.layout import MANIFEST, is_run_id
from etl.load.manifest import RunManifest, RunState, encode, read_manifest
from etl.load.parquet import ParquetFile
from etl.load.place import for_arrow, in_store, is_there, side_by_side
from etl.model import IdRecord, Outcome
from etl.observe.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from etl.load.layout import Layout
    from etl.load.storage import Storage

OUTCOMES = "outcomes.parquet"
FAILED = "failed.txt"
REJECTED = "rejected.ndjson"
RAW = "raw.ndjson.zst"

ONLY_JOINS = "compact"
"""Among the inputs of a run that asked the cluster for nothing: it only joined files."""

REMEDY = "move the folder of that run away: it is only a record"
"""What to do about a record of a run that is damaged, as the end of a sentence."""

OUTCOMES_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("line", pa.int64()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("http_status", pa.int64()),
        pa.field("attempts", pa.int64(), nullable=False),
        pa.field("elapsed_s", pa.float64(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("fetched_at", pa.timestamp("us", "UTC")),
    ]
)
"""One row a requested id, in the order of the request."""

_CHUNK = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """What the run tells of itself. Everything in it is redacted already.

    Attributes:
        source: that was fetched from.
        started_at: when the run began (UTC).
        ended_at: when its work was done (UTC).
        exit_code: that the command ends with.
        outcomes: one for each requested id; read once.
        failed: the text of failed.txt.
        rejected: the lines of rejected.ndjson, each one JSON text without an end of line; read once.
        attachments: further files of the run's folder by name, finished, below the output folder; they are linked.
        inputs: what was asked for.
        settings: the run's.
        counts: of whatever is worth counting.
        timings: seconds by stage, of those that are over; see `RunManifest`.
        versions: of the program and its libraries.
    """

    source: str
    started_at: datetime
    ended_at: datetime
    exit_code: int
    outcomes: Iterable[IdRecord] = ()
    failed: str = ""
    rejected: Iterable[bytes] = ()
    attachments: Mapping[str, Path] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def write_run(storage: Storage, run_id: str, record: RunRecord, state: RunState, snapshot: str | None) -> RunManifest:
    """Write the folder of a run, whole or not at all.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    final = storage.layout.run(run_id)
    folder = storage.being_built(final)
    storage.make_folder(folder, private=True)
    outcomes, rechecks = _write_outcomes(storage, folder / OUTCOMES, record.outcomes)
    storage.write_file(folder / FAILED, record.failed.encode("utf-8", "surrogateescape"), private=True)
    with storage.create(folder / REJECTED, private=True) as file:
        for line in record.rejected:
            file.write(line + b"\n")
    for name, path in record.attachments.items():
        storage.sync_file(path)
        storage.link(path, folder / name, private=True)
    manifest = RunManifest(
        run_id=run_id,
        state=state,
        source=record.source,
        started_at=record.started_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
        snapshot=snapshot,
        outcomes=outcomes,
        rechecks=rechecks,
        inputs=dict(record.inputs),
        settings=dict(record.settings),
        counts=dict(record.counts),
        timings=dict(record.timings),
        versions=dict(record.versions),
    )
    storage.write_file(folder / MANIFEST, encode(manifest), private=True)
    storage.sync_folder(folder)
    storage.rename(folder, final)
    return manifest


def set_state(storage: Storage, manifest: RunManifest, state: RunState) -> RunManifest:
    """Note how far a run came.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    changed = msgspec.structs.replace(
        manifest, state=state, snapshot=manifest.snapshot if state is not RunState.ABANDONED else None
    )
    storage.replace_file(storage.layout.run(manifest.run_id) / MANIFEST, encode(changed), private=True)
    return changed


class PrivateRecordsError(OutputError):
    """The records of runs are another account's, which alone may read them. What is published needs none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """The records of runs that a dataset has.

    Attributes:
        runs: manifests, oldest first.
        damaged: for each record that cannot be read, why, with the remedy: nothing else needs it.
    """

    runs: tuple[RunManifest, ...]
    damaged: tuple[str, ...]


def read_runs(layout: Layout) -> Records:
    """Read the manifests of all runs.

    Raises:
        PrivateRecordsError: this account may not read them.
        OutputError: the folder of the records cannot be read.
    """
    runs: list[RunManifest] = []
    damaged: list[str] = []
    names = _names(layout)
    for name, found in zip(names, side_by_side(layout.runs, partial(_run_or_error, layout), names), strict=True):
        if isinstance(found, RunManifest):
            runs.append(found)
        elif isinstance(found.__cause__, PermissionError):
            raise _private(layout) from found
        elif is_there(layout.run(name)):  # else a run that works now has pruned it
            damaged.append(str(found))
    runs.sort(key=lambda run: run.started_at)  # ids of one second are in no order
    return Records(runs=tuple(runs), damaged=tuple(damaged))


def _run_or_error(layout: Layout, run_id: str) -> RunManifest | OutputError:
    try:
        return read_run(layout, run_id)
    except OutputError as error:
        return error


def _names(layout: Layout) -> list[str]:
    address = in_store(layout.runs)
    if address is not None:
        return sorted(name for name in address.folders_with(MANIFEST) if is_run_id(name))
    try:
        return sorted(path.name for path in layout.runs.iterdir() if is_run_id(path.name))
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise _private(layout) from error
    except OSError as error:
        msg = f"{layout.runs}: cannot be read: {error.strerror}; move it away: it holds only the records of runs"
        raise OutputError(msg) from error


def _private(layout: Layout) -> PrivateRecordsError:
    msg = f"{layout.runs}: the records of runs are private to the account that runs etl; ask for them as that account"
    return PrivateRecordsError(msg)


def read_run(layout: Layout, run_id: str) -> RunManifest:
    """Read the manifest of one run.

    Raises:
        OutputError: it cannot be read.
    """
    path = layout.run(run_id) / MANIFEST
    return read_manifest(path, RunManifest, remedy=REMEDY)


def is_whole(layout: Layout, run_id: str) -> bool:
    """Tell whether the manifest of a run can be read."""
    try:
        read_run(layout, run_id)
    except OutputError:
        return False
    return True


def rechecks(layout: Layout, source: str) -> Iterator[pa.Table]:
    """Yield ids and times of the fetches from a source that found a job unchanged, in the columns RECHECK_COLUMNS.

    A record that cannot be read tells of none: its jobs are fetched once more than needed.

    Raises:
        PrivateRecordsError: this account may not read the records.
        OutputError: the folder of the records cannot be read.
    """
    again = (pc.field("outcome") == Outcome.UNCHANGED.value) & (pc.field("attempts") > 0)
    for manifest in read_runs(layout).runs:
        if manifest.rechecks and manifest.source == source:
            path = layout.run(manifest.run_id) / OUTCOMES
            try:
                rows = pq.read_table(for_arrow(path), columns=[*RECHECK_COLUMNS], filters=again, partitioning=None)
            except PermissionError as error:
                raise _private(layout) from error
            except (OSError, pa.ArrowException) as error:
                LOGGER.warning("%s: cannot be read: %s; %s", path, " ".join(str(error).split()), REMEDY)
                continue
            yield rows.filter(pc.is_valid(rows["fetched_at"]))


def _write_outcomes(storage: Storage, path: Path, records: Iterable[IdRecord]) -> tuple[dict[str, int], int]:
    """Write outcomes.parquet; return the number of ids by outcome, and of those fetched again and found unchanged."""
    counts: Counter[str] = Counter()
    again = 0
    following = iter(records)
    with ParquetFile(storage, path, OUTCOMES_SCHEMA, private=True) as file:
        while chunk := list(islice(following, _CHUNK)):
            file.write(_table(chunk))
            counts.update(record.outcome.value for record in chunk)
            again += sum(map(_is_recheck, chunk))
        file.close()
    return dict(sorted(counts.items())), again


def _is_recheck(record: IdRecord) -> bool:
    return record.outcome is Outcome.UNCHANGED and record.attempts > 0 and record.fetched_at is not None


def _table(records: list[IdRecord]) -> pa.Table:
    columns = {
        "id": [_writable(record.id) for record in records],
        "line": [record.line for record in records],
        "outcome": [record.outcome.value for record in records],
        "http_status": [record.http_status for record in records],
        "attempts": [record.attempts for record in records],
        "elapsed_s": [record.elapsed_s for record in records],
        "reason": [None if record.reason is None else _writable(record.reason) for record in records],
        "fetched_at": [record.fetched_at for record in records],
    }
    arrays = [pa.array(columns[column.name], column.type) for column in OUTCOMES_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=OUTCOMES_SCHEMA)


def _writable(text: str) -> str:
    """Write bytes of a jobs file that are no UTF-8 as escapes: Arrow takes no surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
