"""The values of one saved file, each with its place: documents one after the other, in an array, or in an answer.

A file is a row of JSON texts: one a line, over many lines, or without anything between. An array, or an answer of the
cluster with an array in it, is never in memory as a whole: its elements come one by one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from etl.extract.saved_borders import Border, find_end, pass_over
from etl.extract.saved_content import Content, content_of
from etl.jsontext import NotJsonError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.extract.saved_window import Window

Placed: TypeAlias = tuple[str, Content]
"""Where a value stands, `file:line` or `file[17]`, and what it holds."""

# A byte order mark may start any line, for files are joined with `cat`; the record separator is that of RFC 7464.
_BETWEEN_TEXTS = re.compile(rb"[\s,\x1e\xef\xbb\xbf]*+")
_BETWEEN_ELEMENTS = re.compile(rb"[\s,]*+")
_INDENT = re.compile(rb"[ \t]*+")
_ALONE_ON_ITS_LINE = re.compile(rb"[{\[][ \t\r]*+\n")
_BRACKETS = b"{["

_LOOK_AHEAD = 1024  # bytes behind a value that are looked at
_NEXT_TEXT = re.compile(rb"[ \t\r,\x1e\xef\xbb\xbf]*+(?:[\n{\[\]]|\Z)")
_GOES_ON = re.compile(rb'[\s,]*+(?:[}:]|"(?:[^"\\\n]|\\.){0,256}+"\s*+:)')  # as if the value had not ended

_KEY = re.compile(rb'[{,]\s*+"(\w{1,24})"\s*+:\s*+(?=(.))', re.DOTALL)
_BEFORE_ARRAY = frozenset(
    b"count took timed_out terminated_early num_reduce_phases _scroll_id pit_id _shards _clusters".split()
    + b"total max_score".split()
)
"""What stands before the array in answers of the cluster; an object with another key before it is a document."""
_ARRAYS = frozenset({b"results", b"docs"})

_LINE_AND_CHARACTER = re.compile(r"line 1 (column \d+) \(char \d+\)")  # the decoder's, counted in the value

NO_OBJECT = "no JSON object"


class FileReader:
    """Reads one file; made for one pass."""

    def __init__(self, window: Window, name: str, limit: int) -> None:
        self._window = window
        self._name = name
        self._limit = limit
        self._texts = 0
        self._column: bytes | None = None  # after a broken text: what must stand before the next one in its line
        self._failure_told = False

    def read(self) -> Iterator[Placed]:
        """Yield each value, and each place where there should be one."""
        window = self._window
        if window.peek() is not None and self._is_binary():
            yield self._here(), Content(problem="no JSON text: binary, or not in UTF-8")
            return
        while True:
            window.release()
            window.skip(_BETWEEN_TEXTS)
            first = window.peek()
            if first is None:
                break
            yield from self._text(first)
            self._texts += 1
        if window.failure is not None and not self._failure_told:
            yield self._here(), self._cut()

    def _is_binary(self) -> bool:
        self._window.fill(_LOOK_AHEAD)
        return self._window.bytes[0] not in b"{[ \t\r\n" and 0 in self._window.bytes[:_LOOK_AHEAD]

    def _text(self, first: int) -> Iterator[Placed]:
        if first not in _BRACKETS or self._is_inside():
            yield self._here(), Content(problem=NO_OBJECT)
            self._window.skip_line()
        elif (inside := self._array_begins(first)) is not None:
            self._column = None
            yield from self._elements(*inside)
        else:
            yield from self._object()

    def _is_inside(self) -> bool:
        """Tell whether what begins here must be a part of a broken text before it."""
        return self._column is not None and self._window.line_prefix() != self._column

    def _object(self) -> Iterator[Placed]:
        window, place = self._window, self._here()
        newline = window.bytes.find(b"\n", window.at)
        if newline < 0 and window.ended:
            newline = len(window.bytes)
        content, reason = None, None
        if 0 <= newline - window.at <= self._limit:
            content, reason = _read(window.bytes[window.at : newline])
            if content is not None:
                self._column = None
                window.advance(newline)
                yield place, content
                return
        border, end = find_end(window, self._limit)
        is_laid_out = self._is_laid_out()
        if border is Border.END:
            content, reason = _read(window.bytes[window.at : end])
        if border is not Border.END or (content is None and is_laid_out):
            rest = "the line" if border is Border.LARGE and not is_laid_out else ""
            yield place, self._problem(border, None if is_laid_out else reason, rest)
            self._resume(is_laid_out=is_laid_out)
        elif _match_behind(window, end, _NEXT_TEXT):
            window.advance(end)
            self._column = None if content else self._column
            yield place, content or Content(problem=reason)
        else:
            yield place, Content(problem="no JSON: something else follows the object in its line")
            window.advance(end)
            window.skip_line()

    def _resume(self, *, is_laid_out: bool) -> None:
        """Go on behind a broken text.

        One that is laid out over many lines costs all of them; else a line costs itself, but what begins deeper than
        it in the lines that follow may be a part of it, and is no text of its own.
        """
        column = _blank(self._window.line_prefix())
        if is_laid_out and column is not None:
            self._to_line(column)
        else:
            self._column = column
            self._window.skip_line()

    def _array_begins(self, first: int) -> tuple[int, int] | None:
        """Return the position behind the bracket of an array, and how many objects it stands in; None for no array."""
        window = self._window
        if first == ord("["):
            return window.at + 1, 0
        position, depth = window.at, 1
        while True:
            while len(window.bytes) - position < _LOOK_AHEAD and window.fill(_LOOK_AHEAD):
                pass
            match = _KEY.match(window.bytes, position)
            if match is None:
                return None
            key, value = match[1], match[2]
            if value == b"[" and key in (_ARRAYS if depth == 1 else {b"hits"}):
                return match.end() + 1, depth
            if value == b"{" and key == b"hits" and depth == 1:
                position, depth = match.end(), 2
                continue
            if key not in _BEFORE_ARRAY:
                return None
            border, position = find_end(window, self._limit, match.end())
            if border is not Border.END:
                return None
            while window.bytes[position : position + 1].isspace():
                position += 1

    def _elements(self, begin: int, depth: int) -> Iterator[Placed]:
        """Yield the elements of an array.

        Args:
            begin: position behind its bracket.
            depth: how many objects it stands in.
        """
        window = self._window
        array = self._here() if self._texts else self._name
        window.advance(begin)
        number = 0
        while True:
            window.release()
            window.skip(_BETWEEN_ELEMENTS)
            first = window.peek()
            place = f"{array}[{number}]"
            if first is None:
                yield place, self._cut()
                return
            if first == ord("]"):
                window.advance(window.at + 1)
                break
            border, end = find_end(window, self._limit)
            content, reason = None, None
            if border is Border.END and not _match_behind(window, end, _GOES_ON):
                content, reason = _read(window.bytes[window.at : end])
            # One that is laid out and broken may have taken others in: its end is none.
            if content is not None or (reason is not None and not self._is_laid_out()):
                window.advance(end)
                yield place, content or Content(problem=reason)
            else:
                problem, goes_on = self._pass_over_broken(border)
                yield place, problem
                if not goes_on:
                    return
            number += 1
        if depth and not pass_over(window, depth):
            yield self._here(), self._cut()

    def _pass_over_broken(self, border: Border) -> tuple[Content, bool]:
        """Go on behind a broken element.

        Returns:
            What is wrong with it, and whether the array goes on there.
        """
        window = self._window
        if border is Border.LARGE and not self._is_laid_out():
            problem = self._problem(border)
            pass_over(window)
            return problem, True
        column = _blank(window.line_prefix())
        problem = self._problem(border, rest="the array" if column is None else "")
        if column is None:
            window.skip_line()
            return problem, False
        return problem, self._to_line(column)

    def _is_laid_out(self) -> bool:
        """Tell whether the value that begins here goes over many lines, a bracket alone on the first."""
        return _ALONE_ON_ITS_LINE.match(self._window.bytes, self._window.at) is not None

    def _to_line(self, column: bytes) -> bool:
        """Go to the next line that begins a value at this column, or one less deep.

        Returns:
            Whether it is of this column, or closes the array.
        """
        window = self._window
        while window.skip_line():
            while len(window) <= len(column) and window.fill():
                pass
            match = _INDENT.match(window.bytes, window.at)
            end = match.end() if match else window.at
            first, indent = bytes(window.bytes[end : end + 1]), bytes(window.bytes[window.at : end])
            if first in {b"{", b"["} and indent == column:
                return True
            if len(indent) < len(column) and first in {b"{", b"[", b"]"}:
                return first == b"]"
        return False

    def _here(self) -> str:
        return f"{self._name}:{self._window.line}"

    def _problem(self, border: Border, reason: str | None = None, rest: str = "") -> Content:
        if border is Border.CUT and self._window.failure is not None:
            return self._cut()
        if border is Border.LARGE:
            reason = f"larger than {self._limit:,} bytes"
        reason = reason or f"no JSON: the value {Border.BROKEN if border is Border.END else border}"
        return Content(problem=f"{reason}; {rest} cannot be read from here on" if rest else reason)

    def _cut(self) -> Content:
        self._failure_told = True
        failure = self._window.failure
        if failure is not None:
            return Content(problem=f"the rest of the file cannot be read: {failure}")
        return Content(problem="the file ends in the middle of a value")


def _read(text: bytearray) -> tuple[Content | None, str | None]:
    """Return what a JSON text holds; or None, and why it is none."""
    try:
        return content_of(bytes(text).strip()), None
    except NotJsonError as error:
        return None, _LINE_AND_CHARACTER.sub(r"\1", str(error))


def _match_behind(window: Window, end: int, pattern: re.Pattern[bytes]) -> bool:
    while len(window.bytes) - end < _LOOK_AHEAD and window.fill(_LOOK_AHEAD):
        pass
    return pattern.match(window.bytes, end) is not None


def _blank(prefix: bytes) -> bytes | None:
    """Return the white space that a value is indented by; None where something else stands before it."""
    blank = prefix.replace(b",", b"").removeprefix(b"\xef\xbb\xbf")
    return None if blank.strip() else blank
