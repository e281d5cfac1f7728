"""The jobs file: one id a line, read and written by the same grammar.

A line is trimmed; `#` at its start or after white space starts a comment. So an id that starts with `#`, holds white
space followed by `#`, or is not trimmed cannot stand in a jobs file: none is ever read from one, and `format_jobs`
leaves such an id (a cluster may hold one) as a comment.
"""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from etl import jsontext
from etl.errors import UsageError
from etl.extract.id_list import IdList
from etl.extract.walk.seen import SeenIds
from etl.model import InvalidId, RequestedId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_ID_BYTES = 512
"""Elasticsearch takes no longer `_id`."""

_COMMENT = re.compile(r"(?:^|\s)#")
_BOM = "\ufeff"
_UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")  # byte order marks, as bytes that are no UTF-8 are read
_MOST_CHARACTERS = 1 << 14  # of a line: longer than any id, and than a comment that somebody reads
_SHOWN_CHARACTERS = 1000  # a binary file given by mistake is one endless line


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsFile:
    """What a jobs file asks for.

    Attributes:
        requested: the ids, each once, in the order of their first lines.
        invalid: the lines that cannot be an id, equal ones once.
        repeats: how many lines said again what an earlier line had said.
    """

    requested: Sequence[RequestedId]
    invalid: tuple[InvalidId, ...]
    repeats: int


def read_jobs(stream: IO[bytes]) -> JobsFile:
    r"""Read a jobs file: UTF-8 with or without a byte order mark; lines end with LF, CRLF or CR.

    A line that is no UTF-8, or without end, is invalid, the others hold. The stream is read to its end and left open.

    Raises:
        UsageError: it is UTF-16, or no text at all.

    >>> jobs = read_jobs(io.BytesIO(b"007 # first\r\n\r\na#1\n..\n007\n"))
    >>> [(job.id, job.line) for job in jobs.requested], jobs.invalid[0].line, jobs.repeats
    ([('007', 1), ('a#1', 3)], 4, 1)
    """
    requested = IdList()
    invalid: list[InvalidId] = []
    seen = SeenIds()
    repeats = 0
    # Bytes that are no UTF-8 become unpaired surrogates, which UTF-8 itself cannot carry: they mark the line.
    lines = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=None)
    try:
        for number, (line, size) in enumerate(_lines(lines), start=1):
            is_cut = size > len(line) and _COMMENT.search(line) is None
            text = _content(line)
            if not text and not is_cut:
                continue
            if text in seen and not is_cut:
                repeats += 1
                continue
            problem = f"has {size} characters, more than an id may have" if is_cut else id_problem(text)
            if problem is None:
                requested.append(RequestedId(id=text, line=number))
            else:
                invalid.append(InvalidId(text=_shown(text), line=number, problem=problem))
            if not is_cut:  # of these nobody knows whether they are equal
                seen.add(text)
    finally:
        lines.detach()
    return JobsFile(requested=requested, invalid=tuple(invalid), repeats=repeats)


def _lines(stream: io.TextIOWrapper) -> Iterator[tuple[str, int]]:
    """Yield each line, as far as it is read, and how many characters it has: some files are one line without end."""
    is_first = True
    while line := stream.readline(_MOST_CHARACTERS):
        if is_first:
            _check_text(line, stream)
            is_first = False
        piece, size = line, len(line)
        while len(piece) == _MOST_CHARACTERS and not piece.endswith("\n"):
            piece = stream.readline(_MOST_CHARACTERS)
            size += len(piece)
        yield line, size


def _check_text(line: str, stream: io.TextIOWrapper) -> None:
    """Refuse what is no UTF-8 by its first line: in UTF-16 every other byte of an id is 0."""
    if line.startswith(_UTF16_MARKS) or "\0" in line:
        name = getattr(stream.buffer, "name", None)
        file = name if isinstance(name, str) else "the jobs file"
        msg = f"{file}: is UTF-16, or no text; save it as UTF-8, one sync job id a line"
        raise UsageError(msg)


def id_problem(text: str) -> str | None:
    """Say why a text cannot be the id of a request; None where it can be.

    >>> id_problem("..")
    'stands for a folder in a URL'
    """
    if not text:
        return "is empty"
    if text in {".", ".."}:
        return "stands for a folder in a URL"  # it would be collapsed, and the list endpoint would answer
    if jsontext.is_unpaired(text):
        return "is no UTF-8"
    if not text.isprintable() and any(unicodedata.category(character) == "Cc" for character in text):
        return "holds a control character"
    size = len(text.encode())
    if size > MAX_ID_BYTES:
        return f"has {size} bytes, more than {MAX_ID_BYTES}"
    return None


def format_jobs(entries: Iterable[tuple[str, str | None]]) -> str:
    r"""Write ids as a jobs file, each with the reason why it stands there, which may be None.

    A reason becomes one line. An id that no jobs file can hold becomes a comment, so that reading skips it.

    >>> format_jobs([("a", "503: no\nshard"), ("b", None), ("#c", None)])
    'a # 503: no shard\nb\n# not an id that a jobs file can hold: #c\n'
    """
    return "".join(_formatted(entry_id, reason) for entry_id, reason in entries)


def format_comment(text: str) -> str:
    r"""Write a comment of a jobs file, in one line.

    >>> format_comment("line 3: no\nid")
    '# line 3: no id\n'
    """
    return f"# {_one_line(text)}\n"


def _formatted(entry_id: str, reason: str | None) -> str:
    comment = _one_line(reason or "")
    if _content(entry_id) != entry_id or id_problem(entry_id) is not None:
        shown = _one_line(_shown(entry_id))
        return f"# not an id that a jobs file can hold: {shown}" + (f" # {comment}" if comment else "") + "\n"
    return entry_id + (f" # {comment}" if comment else "") + "\n"


def _content(line: str) -> str:
    """Return what a line says, without comment. A mark may start any line: files are joined with `cat`."""
    line = line.removeprefix(_BOM)
    if "#" in line:
        line = _COMMENT.split(line, maxsplit=1)[0]
    return line.strip()


def _one_line(text: str) -> str:
    return _shown(" ".join(text.split()))


def _shown(text: str) -> str:
    r"""Escape what cannot be shown, or not be written as UTF-8: control characters and bytes as `\xNN`."""
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  # the range that "surrogateescape" puts single bytes into
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character
