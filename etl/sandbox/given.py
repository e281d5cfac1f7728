"""Jobs that a test gives, as objects or as bytes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from etl import jsontext
from etl.errors import UsageError
from etl.sandbox.catalogue import Entry, Sorted, Stored, entry_of, without_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue


class GivenJobs:
    """Explicit documents, read at each request; see `Jobs`."""

    def __init__(self, documents: Mapping[str, Mapping[str, JsonValue] | bytes]) -> None:
        self._documents = documents

    def body(self, job_id: str) -> bytes | None:
        """See `Jobs`."""
        document = self._documents.get(job_id)
        return None if document is None else _body(job_id, document)

    def view(self) -> _GivenView:
        """See `Jobs`."""
        return _GivenView({job_id: _body(job_id, document) for job_id, document in list(self._documents.items())})

    def advance(self, limit: int | None) -> list[str]:  # noqa: ARG002 - see `Jobs`
        """See `Jobs`; given documents change only when their owner changes them."""
        return []

    def add(self, count: int) -> list[str]:
        """See `Jobs`.

        Raises:
            UsageError: always; their owner adds documents.
        """
        msg = f"jobs: {count} cannot be added to given documents; put them into the mapping that was given"
        raise UsageError(msg)


class _GivenView(Sorted):
    """See `View`. Bytes that are no JSON object are in no list and in no index."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        super().__init__()
        self._bodies = bodies

    def body(self, job_id: str) -> bytes | None:
        return self._bodies.get(job_id)

    @cached_property
    def _objects(self) -> dict[str, Mapping[str, JsonValue]]:
        found = ((job_id, _object_of(body)) for job_id, body in self._bodies.items())
        return {job_id: source for job_id, source in found if source is not None}

    @cached_property
    def _ordinals(self) -> dict[str, int]:
        return {job_id: ordinal for ordinal, job_id in enumerate(self._bodies)}

    def entries(self) -> list[Entry]:
        return [entry_of(job_id, self._ordinals[job_id], source) for job_id, source in self._objects.items()]

    def stored(self, job_id: str) -> Stored | None:
        body = self._bodies.get(job_id)
        document = None if body is None else _object_of(body)
        if body is None or document is None:
            return None
        source = without_id(body, job_id)
        if source is None:
            rest = {key: value for key, value in document.items() if key != "id" or value != job_id}
            source = jsontext.dump(rest).encode()
        return Stored(id=job_id, ordinal=self._ordinals[job_id], version=1, source=source)


def _body(job_id: str, document: Mapping[str, JsonValue] | bytes) -> bytes:
    return document if isinstance(document, bytes) else jsontext.dump({"id": job_id, **document}).encode()


def _object_of(body: bytes) -> Mapping[str, JsonValue] | None:
    try:
        value = jsontext.decode(body)
    except jsontext.NotJsonError:
        return None
    return value if isinstance(value, dict) else None
