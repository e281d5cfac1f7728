"""What stands in the `_manifest.json` and `_batch.json` files, and how they are read and written.

Unknown keys are passed over, so that a later version may add some; a change that earlier versions must not read past
raises `FORMAT_VERSION`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec resolves the types of the fields at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from etl.errors import OutputError
from etl.load.stretch import UNDATED, Place
from etl.model import Provenance

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
"""Of the layout on disk."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where rows come from and by which rules they were made; the written form of `Provenance`."""

    source: str
    schema_version: int
    schema_fingerprint: str
    redactor_version: int
    exposed: tuple[str, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """The form that stages hand over."""
        return Provenance(
            source=self.source,
            schema_fingerprint=self.schema_fingerprint,
            redactor_version=self.redactor_version,
            exposed=self.exposed,
        )

    @classmethod
    def of(cls, provenance: Provenance, schema_version: int) -> Origin:
        """Return the written form."""
        return cls(
            source=provenance.source,
            schema_version=schema_version,
            schema_fingerprint=provenance.schema_fingerprint,
            redactor_version=provenance.redactor_version,
            exposed=tuple(sorted(provenance.exposed)),
        )


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a snapshot.

    Attributes:
        path: below the snapshot's folder, with forward slashes.
        format: one of the dataset's formats.
        month: of the jobs in it; None for undated jobs and for the file that stands for a table without rows.
        rows: in it.
        bytes: its size.
        sha256: of its content, in hex.
    """

    path: str
    format: str = "parquet"
    month: str | None
    rows: int
    bytes: int
    sha256: str


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One table of a snapshot: all its rows and its files."""

    rows: int
    files: tuple[FileEntry, ...]


class SnapshotManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A published state.

    Attributes:
        format_version: see FORMAT_VERSION.
        run_id: of the run that published it; also the name of its folder.
        parent: the snapshot that it followed, whether or not that still exists; None for the first.
        created_at: when it was built (UTC); its parent is superseded from then on.
        origin: where all its rows come from.
        formats: of the dataset.
        csv_raw: whether CSV files have texts as they are; else formulas in them are made harmless.
        watermark: where an incremental run resumes; any JSON.
        batches: published with it, as `<run_id>/<n>`.
        tables: by name.
    """

    format_version: int = FORMAT_VERSION
    run_id: str
    parent: str | None
    created_at: datetime
    origin: Origin
    formats: tuple[str, ...]
    csv_raw: bool = False
    watermark: Any = None
    batches: tuple[str, ...] = ()
    tables: dict[str, TableEntry]


class RunState(StrEnum):
    """How far a run came."""

    PUBLISHING = "publishing"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    ABANDONED = "abandoned"


class RunManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did.

    Attributes:
        format_version: see FORMAT_VERSION.
        run_id: of the run.
        state: how far it came; `publishing` only while it lives.
        source: that it fetched from.
        started_at: its start (UTC).
        ended_at: when this record was written (UTC).
        exit_code: that the command ends with.
        snapshot: the run id of the snapshot it published, or None.
        outcomes: number of requested ids by outcome.
        rechecks: ids that were fetched again and found unchanged; their times stand in outcomes.parquet.
        inputs: what was asked for.
        settings: redacted.
        counts: of documents, rows, redactions and so on.
        timings: seconds by stage: `fetch` (and staging), `plan` (what is new), `build` (the snapshot).
        versions: of the program and its libraries.
    """

    format_version: int = FORMAT_VERSION
    run_id: str
    state: RunState
    source: str
    started_at: datetime
    ended_at: datetime
    exit_code: int
    snapshot: str | None = None
    outcomes: dict[str, int] = {}
    rechecks: int = 0
    inputs: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    timings: dict[str, float] = {}
    versions: dict[str, str] = {}


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Where the rows of a stretch stand in the file of a table.

    Attributes:
        start: the first byte.
        size: number of bytes.
        unpacked: number of bytes without compression.
    """

    start: int
    size: int
    unpacked: int


class JobPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a job stands in the order of the dataset: microseconds since 1970, None for undated ones; its id."""

    created: int | None
    job_id: str

    @property
    def place(self) -> Place:
        """The form that is compared."""
        return UNDATED if self.created is None else self.created, self.job_id

    @classmethod
    def of(cls, place: Place) -> JobPlace:
        """Return the written form."""
        return cls(None if place[0] == UNDATED else place[0], place[1])


class StretchEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of the files.

    Attributes:
        jobs: number of jobs.
        bytes: that it takes in memory.
        first: its first job.
        last: its last job.
        spans: where its rows stand, of tables in which it has some.
    """

    jobs: int
    bytes: int
    first: JobPlace
    last: JobPlace
    spans: dict[str, Span]


class StagedTable(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a batch."""

    rows: int
    bytes: int


class BatchManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A staged batch.

    Attributes:
        format_version: see FORMAT_VERSION.
        run_id: of the run that fetched it.
        number: in its run.
        origin: of its rows.
        jobs: number of jobs.
        tables: those with rows, by name.
        stretches: its jobs in order, and where their rows stand.
        not_found: ids that the cluster did not have, with the time it said so.
    """

    format_version: int = FORMAT_VERSION
    run_id: str
    number: int
    origin: Origin
    jobs: int
    tables: dict[str, StagedTable]
    stretches: tuple[StretchEntry, ...]
    not_found: dict[str, datetime]

    @property
    def batch_id(self) -> str:
        """The name that manifests of snapshots know it by."""
        return f"{self.run_id}/{self.number}"


_Manifest = TypeVar("_Manifest", SnapshotManifest, RunManifest, BatchManifest)


def encode(manifest: msgspec.Struct) -> bytes:
    """Return the text of a manifest, indented, for people read it too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path, kind: type[_Manifest], *, remedy: str) -> _Manifest:
    """Read one manifest.

    Args:
        path: of the file.
        kind: what it holds.
        remedy: what to do where it cannot be read, as the end of a sentence.

    Raises:
        OutputError: it is missing or damaged, or a later version wrote it in a way that this one must not read.
    """
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        msg = f"{path}: cannot be read as a manifest: {error}; {remedy}"
        raise OutputError(msg) from error
    if manifest.format_version > FORMAT_VERSION:
        msg = f"{path}: written by a later version (format {manifest.format_version}); upgrade etl"
        raise OutputError(msg)
    return manifest
