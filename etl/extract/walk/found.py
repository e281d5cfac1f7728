"""Jobs as lists and searches give them: the bytes of each, and the few properties that a walk goes by."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from etl import jsontext
from etl.model import Answer, AnswerKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NO_ID: Final = "#no-id-"
"""How the id of a result without one begins: no jobs file can hold it, so none ever asks for it."""

FIELDS: Final = ("created_at", "status", "job_type", "connector.id", "connector_id")
"""What of a document a walk goes by, beside its id."""


class Kind(NamedTuple):
    """What the filters of the list go by; None where a filter finds no such job."""

    status: str | None
    job_type: str | None
    connector_id: str | None


UNKNOWN: Final = Kind(None, None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A job that was found.

    Attributes:
        id: the document's; one that begins with NO_ID where it has none.
        raw: JSON bytes as the API gives them, unredacted; empty where they could not be read.
        created_at: as it stands in the document.
        kind: as filters find it.
        connector_id: as the tables have it, for flat documents of 8.5 too.
        problem: why it is no usable document; None where it is.
    """

    id: str
    raw: bytes
    created_at: object = None
    kind: Kind = UNKNOWN
    connector_id: str | None = None
    problem: str | None = None

    def answer(self, *, at: datetime, elapsed_s: float) -> Answer:
        """Return it as the answer to a request for this job, received at a time (UTC)."""
        kind = AnswerKind.DOCUMENT
        if self.problem is not None:
            kind = AnswerKind.REJECTED if self.raw else AnswerKind.FAILED
        return Answer(
            id=self.id,
            kind=kind,
            body=self.raw or None,
            http_status=200,
            attempts=1,
            elapsed_s=elapsed_s,
            reason=self.problem,
            fetched_at=at,
        )


class _Job(msgspec.Struct):
    id: Any = None
    created_at: Any = None
    status: Any = None
    job_type: Any = None
    connector: msgspec.Raw = msgspec.Raw(b"null")
    connector_id: Any = None


class _Connector(msgspec.Struct):
    id: Any = None


_JOB: Final = msgspec.json.Decoder(_Job)
_CONNECTOR: Final = msgspec.json.Decoder(_Connector)


def found_in(raw: bytes) -> Found:
    """Read one result of a list; whatever it is, it is kept."""
    try:
        job = _JOB.decode(raw)
        nested = _CONNECTOR.decode(job.connector).id if bytes(job.connector).startswith(b"{") else None
        if isinstance(job.id, str) and job.id and raw.startswith(_head(job.id)):
            return _found(job.id, raw, {name: getattr(job, name) for name in _PLAIN}, nested)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # the exact decoder decides
    return _found_exactly(raw)


_PLAIN: Final = ("created_at", "status", "job_type", "connector_id")


def _head(job_id: str) -> bytes:
    return b'{"id":' + jsontext.dump(job_id).encode()


def _found_exactly(raw: bytes) -> Found:
    """Read a result that is odd: an id given twice, bytes that are no UTF-8, no object at all."""
    try:
        value = jsontext.decode(raw)
    except jsontext.NotJsonError as error:
        return Found(id=_stand_in(raw), raw=raw, problem=str(error))
    if not isinstance(value, dict):
        return Found(id=_stand_in(raw), raw=raw, problem="no JSON object")
    ids = [item for key, item in value.earlier if key == "id"] if isinstance(value, jsontext.Members) else []
    # Elasticsearch writes the `_id` first, then whatever the stored document holds, another `id` included.
    job_id = [*ids, value.get("id")][0]
    if not isinstance(job_id, str) or not job_id or jsontext.is_unpaired(job_id):
        return Found(id=_stand_in(raw), raw=raw, problem="no sync job: no id in it")
    connector = value.get("connector")
    return _found(job_id, raw, value, connector.get("id") if isinstance(connector, dict) else None)


def _found(job_id: str, raw: bytes, fields: Mapping[str, Any], nested: object) -> Found:
    filed_under = _text(nested)
    return Found(
        id=job_id,
        raw=raw,
        created_at=fields.get("created_at"),
        kind=Kind(_text(fields.get("status")), _text(fields.get("job_type")), filed_under),
        connector_id=filed_under or _text(fields.get("connector_id")),
    )


def _stand_in(raw: bytes) -> str:
    """Name a result that has no id so that it is the same one when it is read again."""
    return NO_ID + blake2b(raw, digest_size=12).hexdigest()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def with_id(job_id: str, source: bytes) -> bytes | None:
    """Put the id in front of a stored document, as the API does; None where it is no object.

    >>> with_id("a", b'{"status":"pending"}'), with_id("a", b"{ }")
    (b'{"id":"a","status":"pending"}', b'{"id":"a"}')
    """
    stripped = source.strip()
    if not stripped.startswith(b"{") or not stripped.endswith(b"}"):
        return None
    rest = stripped[1:].lstrip()
    return _head(job_id) + (b"," if rest != b"}" else b"") + rest
