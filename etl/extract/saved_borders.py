"""Where one JSON value ends in a stream of bytes: found by its strings and brackets alone, without decoding it."""

from __future__ import annotations

import re
from enum import StrEnum

from etl.extract.saved_window import Window


class Border(StrEnum):
    """What the search for the end of a value came to; the words complete "the value ..."."""

    END = "ends here"
    BROKEN = "is not closed before another one begins"
    CUT = "is not closed before the file ends"
    LARGE = "is too large"


# Everything up to the next bracket is passed over in one match, whole strings included. Matches follow each other
# without a gap: what cannot be passed over yet, since it may go on behind the bytes in memory, is the last group.
_PLAIN = rb'[^"{}\[\]\n]*+'
_WHOLE_STRING = rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_TOKEN = re.compile(
    _PLAIN
    + rb"(?:(?:"
    + _WHOLE_STRING
    + rb"|\n(?=\s*+[^\s{]))"
    + _PLAIN
    + rb')*+(?:([{\[])|([}\]])|(\n\s*+(?=\{))|(\Z|"|\n))'
)
_OPEN, _CLOSE, _NEW_LINE, _REST = 1, 2, 3, 4

_STRING = re.compile(_WHOLE_STRING)
_BEGUN_STRING = re.compile(rb'"?(?:[^"\\\n]++|\\.)*+')
_BARE = re.compile(rb'[^\s,:"{}\[\]]*+')  # a number, true, false or null
_BETWEEN = re.compile(rb"[\s,:]*+")
_QUOTE, _NEWLINE = b'"\n'
_SPACE = b" \t\r\n"


def find_end(window: Window, limit: int, start: int | None = None) -> tuple[Border, int]:
    """Find where a value ends. The window is not moved, only filled.

    Args:
        window: on the stream.
        limit: most bytes that the value may have.
        start: position of its first byte; None for the window's own.

    Returns:
        END and the position behind it; or why there is none, and where that showed.
    """
    start = window.at if start is None else start
    if window.bytes[start] in b"{[":
        return _end_of_container(window, limit, start)
    pattern = _STRING if window.bytes[start] == _QUOTE else _BARE
    while True:
        match = pattern.match(window.bytes, start)
        if match is not None and (pattern is _STRING or match.end() < len(window.bytes) or window.ended):
            if match.end() == start:
                return Border.BROKEN, start
            return (Border.END, match.end()) if match.end() - start <= limit else (Border.LARGE, start)
        stopped = _stopped(window, start, start, limit)
        if stopped is not None:
            return stopped, start


def _end_of_container(window: Window, limit: int, start: int) -> tuple[Border, int]:
    depth, position = 0, start
    while True:
        kind, position, depth = _walk(window.bytes, position, depth, by_line=True)
        if kind == _CLOSE:
            return (Border.END, position) if position - start <= limit else (Border.LARGE, start)
        if kind == _NEW_LINE:
            return Border.BROKEN, position
        stopped = _stopped(window, start, position, limit)
        if stopped is not None:
            return stopped, position


def _walk(text: bytearray, position: int, depth: int, *, by_line: bool) -> tuple[int, int, int]:
    """Go from bracket to bracket until all are closed.

    Args:
        text: in memory.
        position: where to begin.
        depth: how many brackets are open there.
        by_line: stop where a line begins an object that cannot belong to the value.

    Returns:
        Why it stopped (_CLOSE, _NEW_LINE, or _REST where the text in memory ends), where, and the depth there.
    """
    for match in _TOKEN.finditer(text, position):
        kind = match.lastindex
        if kind == _OPEN:
            depth += 1
        elif kind == _CLOSE:
            depth -= 1
            if not depth:
                return _CLOSE, match.end(), depth
        elif kind == _REST:
            return _REST, match.start(_REST), depth
        elif by_line and not _may_go_on(text, match.start(_NEW_LINE)):
            return _NEW_LINE, match.start(_NEW_LINE), depth
    return _REST, len(text), depth


def _may_go_on(text: bytearray, newline: int) -> bool:
    """Tell whether an object that begins a line can belong to the value that the line before it is in."""
    last = newline - 1
    while text[last] in _SPACE:
        last -= 1
    return text[last] in b"[,:"


def _stopped(window: Window, start: int, position: int, limit: int) -> Border | None:
    """Read on where a value has no end in memory; say why there is none if that is known now."""
    if position < len(window.bytes) and window.bytes[position] == _QUOTE and _is_torn(window.bytes, position):
        return Border.BROKEN
    if len(window.bytes) - start > limit:
        return Border.LARGE
    # What is not passed over yet is looked at again: it must double, or a long string would be read over and over.
    if not window.fill(min(len(window.bytes) - position, limit)):
        return Border.CUT
    return None


def _is_torn(text: bytearray, quote: int) -> bool:
    """Tell whether a line ends within a string, which JSON has not."""
    match = _BEGUN_STRING.match(text, quote)
    end = match.end() if match else quote
    return _NEWLINE in text[end : end + 2]


def pass_over(window: Window, depth: int = 0) -> bool:
    """Let the window begin behind a value, keeping none of it.

    Args:
        window: on the value; or, with `depth`, inside of it.
        depth: how many brackets are open.

    Returns:
        Whether there is an end; if not, the window begins where that showed.
    """
    first = window.peek()
    if not depth and first is not None and first not in b"{[":
        if first == _QUOTE:
            return _pass_over_string(window)
        window.skip(_BARE)
        return True
    while True:
        kind, position, depth = _walk(window.bytes, window.at, depth, by_line=False)
        window.advance(position)
        if kind == _CLOSE:
            return True
        at_string = window.bytes[position : position + 1] == b'"'
        window.release()
        if not (_pass_over_string(window) if at_string else window.fill()):
            return False


def _pass_over_string(window: Window) -> bool:
    window.advance(window.at + 1)
    while True:
        match = _BEGUN_STRING.match(window.bytes, window.at) if window.peek() != _QUOTE else None
        if match is not None:
            window.advance(match.end())
        if window.peek() == _QUOTE:
            window.advance(window.at + 1)
            return True
        window.release()
        if _NEWLINE in window.bytes[window.at : window.at + 2]:
            return False
        if not window.fill() and bytes(window.bytes[window.at :]) in {b"", b"\\"}:
            return False


def members(raw: bytes) -> dict[bytes, bytes]:
    r"""Return the members of a JSON object as they stand in the text: keys with their quotes; of equal ones the last.

    >>> members(b'{"a": [1, "}"], "b":null}')
    {b'"a"': b'[1, "}"]', b'"b"': b'null'}
    """
    window = Window(iter([raw]))
    found: list[bytes] = []
    window.peek()
    window.advance(raw.index(b"{") + 1)
    window.skip(_BETWEEN)
    while window.peek() not in {None, ord("}")}:
        border, end = find_end(window, len(raw))
        if border is not Border.END:
            break
        found.append(bytes(window.bytes[window.at : end]))
        window.advance(end)
        window.skip(_BETWEEN)
    return dict(zip(found[::2], found[1::2], strict=False))
