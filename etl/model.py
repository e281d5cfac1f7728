"""The values that stages hand over to each other: frozen, keyword-only, free of behaviour that needs a stage.

What there is one of for each id is a msgspec Struct: it crosses to another program in a third of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa


class Outcome(StrEnum):
    """What became of a requested id; each id has exactly one."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    NOT_FOUND = "not_found"
    FAILED = "failed"
    REJECTED = "rejected"
    INVALID = "invalid"


class AnswerKind(StrEnum):
    """What the cluster said about one id, after all attempts."""

    DOCUMENT = "document"
    NOT_FOUND = "not_found"
    FAILED = "failed"
    REJECTED = "rejected"


class RequestedId(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An id that can be asked for.

    Attributes:
        id: the opaque id, trimmed.
        line: its first line in the jobs file, from 1; None where there is no file.
    """

    id: str
    line: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InvalidId:
    """A line of the jobs file that cannot be an id.

    Attributes:
        text: the line as given, trimmed.
        line: the line number, from 1.
        problem: what is wrong with it.
    """

    text: str
    line: int
    problem: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The final answer for one id.

    Attributes:
        id: the requested id.
        kind: what the answer is.
        body: the bytes of the last 200 where `kind` is DOCUMENT or REJECTED, else None. Unredacted: never to disk.
        http_status: status of the last answer; None where no answer came.
        attempts: requests made for this id, 0 where it was not attempted.
        elapsed_s: seconds from the first request to the final answer, waits included.
        reason: why it is FAILED or REJECTED, masked, one line; None otherwise.
        fetched_at: when the final answer was there (UTC).
    """

    id: str
    kind: AnswerKind
    body: bytes | None = None
    http_status: int | None = None
    attempts: int = 0
    elapsed_s: float = 0.0
    reason: str | None = None
    fetched_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One sync job as received.

    Attributes:
        raw: JSON bytes, unredacted.
        fetched_at: when they were received (UTC).
        id: the id it was asked for by; None where the document alone tells (saved documents).
    """

    raw: bytes
    fetched_at: datetime
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What must be equal for rows of another run to stand beside the rows of this one.

    Attributes:
        source: the cluster's UUID, else the host of its URL, or `sandbox`.
        schema_fingerprint: of the tables' declaration.
        redactor_version: of the rules that decide what is redacted.
        exposed: configuration fields whose values are shown, sorted.
    """

    source: str
    schema_fingerprint: str
    redactor_version: int
    exposed: tuple[str, ...] = ()


class IdRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of `outcomes.parquet`: what became of one requested id."""

    id: str
    outcome: Outcome
    line: int | None = None
    http_status: int | None = None
    attempts: int = 0
    elapsed_s: float = 0.0
    reason: str | None = None
    fetched_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedBatch:
    """What a batch puts on disk before it is published.

    Attributes:
        number: of the batch in its run, from 0.
        tables: rows of each table, in its exact Arrow schema, one job at most once.
        not_found: ids that the cluster does not have, with the time it said so (UTC).
    """

    number: int
    tables: Mapping[str, pa.Table]
    not_found: Mapping[str, datetime] = field(default_factory=dict)
