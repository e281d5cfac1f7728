"""The raw archive: documents as received, redacted, one a line; input of `etl replay`.

A line is `{"id":...,"fetched_at":...,"document":{...}}`: the job's id (null where it has none that could be used), when
the document was received (ISO 8601, UTC), and the document with markers and masks. It transforms to the same rows as
the document itself.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Protocol, Self

import msgspec
import pyarrow as pa

from etl.jsontext import JsonValue, decode_noting, encode_exactly, is_unpaired
from etl.transform.fast import CONFIGURATION_PATH, PART_PATHS, fast_path
from etl.transform.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

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


class _Writable(Protocol):
    """A file that is written from its beginning to its end, as `etl.load.storage.NewFile` is."""

    closed: bool

    def write(self, content: bytes, /) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class RawArchive:
    """Writes lines to a file as one zstd frame, keeping no more than a block of them in memory.

    Closing it ends the frame and closes the file. Where an exception leaves the `with` block nothing is promised: the
    file is then abandoned by whoever opened it. Frames written one behind the other are one archive.

    Attributes:
        lines: written so far.
    """

    def __init__(self, file: _Writable) -> None:
        self._stream = pa.CompressedOutputStream(pa.PythonFile(file, mode="w"), _CODEC)
        self.lines = 0

    def write(self, line: bytes) -> None:
        """Append a line, given without its end."""
        self._stream.write(line + b"\n")
        self.lines += 1

    def close(self) -> None:
        """End the frame and close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


class _Memory:
    """A file that is kept in memory, also when it is closed."""

    def __init__(self) -> None:
        self.closed = False
        self.content = bytearray()

    def write(self, content: bytes, /) -> int:
        self.content += content
        return len(content)

    def flush(self) -> None:
        """Do nothing: all is here."""

    def close(self) -> None:
        self.closed = True


def raw_frame(documents: Sequence[Document], exposed: frozenset[str]) -> bytes:
    """Return documents as a piece of an archive, redacted and compressed; of no document nothing.

    Raises:
        NotJsonError: one is no JSON.
    """
    if not documents:
        return b""
    memory = _Memory()
    with RawArchive(memory) as archive:
        for line in _lines(documents, exposed):
            archive.write(line)
    return bytes(memory.content)
