"""The jobs that a sandbox holds: generated from their numbers, or given by a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from etl import jsontext
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of, number_of
from etl.sandbox.outline import Writer, outline_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.outline import Outline


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What the index knows of a job: what lists are sorted and filtered by.

    Attributes:
        created: seconds since 1970; None where the document has no time that can be read.
        connector_id: of the nested `connector`; None for the flat documents of 8.5, which no filter finds.
    """

    id: str
    created: float | None
    connector_id: str | None
    job_type: str | None
    status: str | None


class Jobs(Protocol):
    """A set of jobs."""

    def body(self, job_id: str) -> bytes | None:
        """Return the document as it is sent; None where there is no such job."""

    def entries(self) -> Iterator[Entry]:
        """Yield every job, in no order."""

    def advance(self) -> None:
        """Let running jobs move on."""


class GeneratedJobs:
    """The jobs 0 to `count` - 1 of a seed, made anew for each request: none is held in memory."""

    def __init__(self, seed: int, count: int) -> None:
        self._seed = seed
        self._count = count
        self._step = 0

    def body(self, job_id: str) -> bytes | None:
        """See `Jobs`."""
        number = number_of(job_id)
        if number is None or number >= self._count:
            return None
        return jsontext.dump(generate_job(self._seed, number, step=self._step)).encode()

    def entries(self) -> Iterator[Entry]:
        """See `Jobs`."""
        for number in range(self._count):
            yield _entry_of(outline_of(self._seed, number, step=self._step))

    def advance(self) -> None:
        """See `Jobs`: pending jobs start, running ones finish."""
        self._step += 1


def _entry_of(outline: Outline) -> Entry:
    return Entry(
        id=id_of(outline.number),
        created=outline.created / 1e9 if outline.is_dated else None,
        connector_id=None if outline.writer is Writer.FLAT else outline.connector.id,
        job_type=outline.job_type,
        status=outline.status,
    )


class GivenJobs:
    """Explicit documents, read at each request."""

    def __init__(self, documents: Mapping[str, Mapping[str, JsonValue] | bytes]) -> None:
        self._documents = documents

    def body(self, job_id: str) -> bytes | None:
        """See `Jobs`."""
        document = self._documents.get(job_id)
        if document is None or isinstance(document, bytes):
            return document
        return jsontext.dump({"id": job_id, **document}).encode()

    def entries(self) -> Iterator[Entry]:
        """See `Jobs`; bytes that are no JSON object are in no list."""
        for job_id, document in list(self._documents.items()):
            source = _object_of(document)
            if source is not None:
                connector = source.get("connector")
                yield Entry(
                    id=job_id,
                    created=_seconds(source.get("created_at")),
                    connector_id=connector.get("id") if isinstance(connector, dict) else None,
                    job_type=source.get("job_type"),
                    status=source.get("status"),
                )

    def advance(self) -> None:
        """See `Jobs`; given documents change only when their owner changes them."""


def _object_of(document: Mapping[str, JsonValue] | bytes) -> Mapping[str, JsonValue] | None:
    if not isinstance(document, bytes):
        return document
    try:
        value = jsontext.decode(document)
    except jsontext.NotJsonError:
        return None
    return value if isinstance(value, dict) else None


def _seconds(value: JsonValue) -> float | None:
    if isinstance(value, int | float):
        return value / 1000
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
