"""Saved sync job documents, read as a stream in flat memory, with the place of each.

Read are NDJSON, one JSON document, JSON arrays, list answers, search answers, `_mget` answers, hits of the index one a
line, and the project's own raw archives; plain, gzip or zstd. What a file is, its content tells.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from etl.errors import UsageError
from etl.extract.saved_stream import read_blocks
from etl.extract.saved_values import FileReader
from etl.extract.saved_window import Window
from etl.model import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDIN = "-"
"""Stands for standard input among the sources."""

MAX_DOCUMENT_BYTES = 64 << 20
"""The largest document that is read: as large as the largest answer that a run takes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedDocument:
    """A document, not looked into.

    Attributes:
        place: where it stands: `file:line`; in an array `file[17]`, counted from 0, or `file:line[17]` where the array
            is not the first value of its file.
        document: its bytes; its id where the file names it beside the document; and when it was fetched: as the file
            says, else when the file was written.
    """

    place: str
    document: Document


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedProblem:
    """A place where there should be a document.

    Attributes:
        place: as in SavedDocument.
        reason: why there is none; it quotes nothing of what stands there but ids.
    """

    place: str
    reason: str


def read_saved(
    sources: Iterable[Path | str], *, stdin: IO[bytes], now: datetime, limit: int = MAX_DOCUMENT_BYTES
) -> Iterator[SavedDocument | SavedProblem]:
    """Read saved documents, in their order, one file after the other.

    Args:
        sources: files, and `-` for standard input once.
        stdin: standard input.
        now: the time (UTC) that counts as the time of fetching for standard input.
        limit: most bytes of one document.

    Returns:
        An iterator that holds one document at a time, and the bytes around it.

    Raises:
        UsageError: at once, where a source is no file that can be read; later, where one has gone meanwhile.
    """
    wanted = [source if source == STDIN else Path(source) for source in sources]
    if wanted.count(STDIN) > 1:
        msg = "standard input (-) is named twice: it can be read once"
        raise UsageError(msg)
    for source in wanted:
        if isinstance(source, Path):
            _check(source)
    return _read_all(wanted, stdin, now, limit)


def _check(path: Path) -> None:
    # Not opened yet: a named pipe gives what it holds only once.
    reason = None
    if not path.exists():
        reason = "there is no such file"
    elif path.is_dir():
        reason = "it is a folder; name the files in it"
    elif not os.access(path, os.R_OK):
        reason = "this account may not read it"
    if reason is not None:
        msg = f"{path}: cannot read saved documents: {reason}"
        raise UsageError(msg)


def _read_all(
    sources: Iterable[Path | str], stdin: IO[bytes], now: datetime, limit: int
) -> Iterator[SavedDocument | SavedProblem]:
    for source in sources:
        with _opened(source, stdin, now) as (stream, written_at):
            name = "stdin" if source == STDIN else str(source)
            for place, content in FileReader(Window(read_blocks(stream)), name, limit).read():
                if content.problem is not None:
                    yield SavedProblem(place=place, reason=content.problem)
                    continue
                document = Document(raw=content.raw, fetched_at=content.fetched_at or written_at, id=content.id)
                yield SavedDocument(place=place, document=document)


@contextmanager
def _opened(source: Path | str, stdin: IO[bytes], now: datetime) -> Iterator[tuple[IO[bytes], datetime]]:
    if not isinstance(source, Path):
        yield stdin, now
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        msg = f"{source}: cannot read saved documents: {error.strerror}"
        raise UsageError(msg) from error
    with stream:
        microseconds = os.fstat(stream.fileno()).st_mtime_ns // 1000
        yield stream, _EPOCH + timedelta(microseconds=microseconds)
