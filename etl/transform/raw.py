"""The raw archive: documents as received, redacted, one a line; input of `etl replay`.

A line is `{"id":...,"fetched_at":...,"document":{...}}`: the job's id (null where it has none that could be used), when
the document was received (ISO 8601, UTC), and the document with markers and masks. It transforms to the same rows as
the document itself.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from etl.jsontext import JsonValue, decode_noting, encode_exactly, is_unpaired
from etl.transform.fast import CONFIGURATION_PATH, PART_PATHS, fast_path
from etl.transform.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl.model import Document
    from etl.transform.fast import Became

_CODEC = "zstd"
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WRITE = msgspec.json.Encoder().encode
_NULL = msgspec.Raw(b"null")


def raw_line(document: Document, exposed: frozenset[str] = frozenset()) -> bytes:
    """Return a document's line of the raw archive, without an end of line.

    Args:
        document: as received; one that `transform` refuses has no place in an archive.
        exposed: configuration fields whose values may be shown.

    Raises:
        NotJsonError: it is no JSON, so that it cannot be redacted.
    """
    (line,) = _lines([document], exposed)
    return line


def _lines(documents: Sequence[Document], exposed: frozenset[str]) -> Iterator[bytes]:
    """Yield the lines of documents; of those that fit with the parts that the transformation has redacted before."""
    _, fits = fast_path(exposed).read_all(documents)
    for document, fit in zip(documents, fits, strict=True):
        job_id: str | None
        if fit is not None and not fit.pieces.aliased:
            job_id, clean = fit.pieces.id, _with_clean_parts(document.raw, fit.became)
        else:
            value, _ = decode_noting(document.raw)
            job_id = _own_id(value) if document.id is None else document.id
            clean = encode_exactly(redact(value, exposed).document)
        fetched_at = document.fetched_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        yield _WRITE({"id": job_id, "fetched_at": fetched_at, "document": msgspec.Raw(clean)})


def _with_clean_parts(raw: bytes, became: Became) -> bytes:
    """Return a document that fits with its parts as they may be kept, everything in its place.

    Args:
        raw: a document with no repeated key, whose connector's members all stand in `connector`.
        became: what its parts became.
    """
    job = _MEMBERS(raw)
    connector = _MEMBERS(job["connector"]) if job.get("connector", _NULL) != _NULL else {}
    parts = zip(PART_PATHS, (part.clean for part in became.parts), strict=True)
    for path, content in ((CONFIGURATION_PATH, became.configuration.clean), *parts):
        members = job if len(path) == 1 else connector
        if path[-1] in members:
            members[path[-1]] = msgspec.Raw(content)
    if connector:
        job["connector"] = msgspec.Raw(_WRITE(connector))
    return _WRITE(job)


def _own_id(value: JsonValue) -> str | None:
    """Return the id that a document names itself: beside the document it stays as it is, whatever it looks like."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found and not is_unpaired(found) else None


def raw_frame(documents: Sequence[Document], exposed: frozenset[str]) -> bytes:
    """Return documents as a piece of an archive: one zstd frame of redacted lines; of no document nothing.

    Frames written one behind the other are one archive.

    Raises:
        NotJsonError: one is no JSON.
    """
    if not documents:
        return b""
    frame = pa.BufferOutputStream()
    with pa.CompressedOutputStream(frame, _CODEC) as stream:
        for line in _lines(documents, exposed):
            stream.write(line)
            stream.write(b"\n")
    content: bytes = frame.getvalue().to_pybytes()
    return content
