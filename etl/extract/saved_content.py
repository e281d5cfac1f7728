"""What one saved JSON value holds: a sync job as it is, a hit of the index, or a line of a raw archive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from etl.extract.saved_borders import members
from etl.jsontext import decode, is_unpaired


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a value holds.

    Attributes:
        raw: the sync job's JSON; empty where there is a problem.
        id: that the value names beside the document; None where it names none.
        fetched_at: that the value names (UTC); None where it names none.
        problem: why it holds no document; None where it does.
    """

    raw: bytes = b""
    id: str | None = None
    fetched_at: datetime | None = None
    problem: str | None = None


class _Parts(msgspec.Struct, frozen=True):
    """The members that tell; a sync job has none of those that begin with an underscore, nor `document`."""

    id: Raw | UnsetType = UNSET
    fetched_at: Raw | UnsetType = UNSET
    document: Raw | UnsetType = UNSET
    hit_id: Raw | UnsetType = msgspec.field(default=UNSET, name="_id")
    source: Raw | UnsetType = msgspec.field(default=UNSET, name="_source")
    found: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(_Parts)
_FIELDS = {f'"{name}"'.encode(): field for field, name in zip(
    _Parts.__struct_fields__, _Parts.__struct_encode_fields__, strict=True
)}  # fmt: skip

_ENVELOPE = frozenset({b'"id"', b'"fetched_at"', b'"document"'})
"""All members of a line of a raw archive."""


def content_of(raw: bytes) -> Content:
    """Tell what a JSON text holds.

    Raises:
        NotJsonError: it is none.

    >>> content_of(b'{"_id":"a","_source":{"status":"error"}}')
    Content(raw=b'{"status":"error"}', id='a', fetched_at=None, problem=None)
    """
    try:
        parts = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):  # the exact decoder takes more, and decides
        if not isinstance(decode(raw), dict):
            return Content(problem="no JSON object")
        found = {_FIELDS[key]: Raw(value) for key, value in members(raw).items() if key in _FIELDS}
        parts = _Parts(**found)
    if isinstance(parts.document, Raw) and members(raw).keys() <= _ENVELOPE:
        return _archived(parts.document, parts)
    if isinstance(parts.source, Raw) or isinstance(parts.hit_id, Raw):
        return _hit(parts)
    return Content(raw=raw)


def _archived(document: Raw, parts: _Parts) -> Content:
    at, job_id = _value(parts.fetched_at), _value(parts.id)
    if job_id is not None and not _is_id(job_id):
        return Content(problem="no usable id beside the document")
    try:
        fetched_at = None if at is None else datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return Content(problem="fetched_at is no time in ISO 8601")
    if fetched_at is not None:
        fetched_at = fetched_at.replace(tzinfo=fetched_at.tzinfo or UTC).astimezone(UTC)
    return Content(raw=bytes(document), id=job_id, fetched_at=fetched_at)


def _hit(parts: _Parts) -> Content:
    job_id = _value(parts.hit_id)
    if job_id is not None and not _is_id(job_id):
        return Content(problem="no usable _id")
    if isinstance(parts.source, Raw):
        return Content(raw=bytes(parts.source), id=job_id)
    if _value(parts.found) is False:
        return Content(problem=f"{job_id}: not found in the answer")
    if isinstance(parts.error, Raw):
        return Content(problem=f"{job_id}: the answer holds an error in its place")
    return Content(problem=f"{job_id}: a hit without _source")


def _value(part: Raw | UnsetType) -> Any:  # noqa: ANN401 - any JSON value
    return decode(bytes(part)) if isinstance(part, Raw) else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != "" and not is_unpaired(value)
