"""A window that moves over a stream of bytes and knows the number of the line that it begins in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.extract.saved_stream import BLOCK, BrokenStreamError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

_PREFIX = 4096  # bytes before a position that are kept of its line: it may be a gigabyte long


class Window:
    """What of a stream is in memory.

    Attributes:
        bytes: in memory; `at` and all other positions are counted in it.
        at: where the window begins. Bytes before it are given up when more are read.
        line: number of the line that `at` is in, from 1.
        ended: whether `bytes` reaches to the end of the stream.
        failure: why the rest cannot be read; None where nothing failed.
        block: bytes that are read on at once, at least.
    """

    def __init__(self, blocks: Iterator[bytes], block: int = BLOCK) -> None:
        self.bytes = bytearray()
        self.at = 0
        self.line = 1
        self.ended = False
        self.failure: str | None = None
        self.block = block
        self._blocks = blocks
        self._prefix = b""  # of the line that `at` is in, as far as it was given up

    def __len__(self) -> int:
        return len(self.bytes) - self.at

    def fill(self, size: int = 1) -> bool:
        """Read on, so that `size` further bytes are in memory where there are as many; False at the end.

        Positions stay as they are.
        """
        before = len(self.bytes)
        wanted = before + max(size, self.block)
        while not self.ended and len(self.bytes) < wanted:
            try:
                block = next(self._blocks, None)
            except BrokenStreamError as error:
                self.failure = str(error)
                block = None
            if block is None:
                self.ended = True
            else:
                self.bytes += block
        return len(self.bytes) > before

    def release(self) -> None:
        """Give up the bytes before `at` once they are worth it: all positions change."""
        if self.at >= self.block or self.at == len(self.bytes):
            self._prefix = self.line_prefix()
            del self.bytes[: self.at]
            self.at = 0

    def advance(self, position: int) -> None:
        """Let the window begin further on."""
        self.line += self.bytes.count(b"\n", self.at, position)
        self.at = position

    def peek(self) -> int | None:
        """Return the first byte; None at the end."""
        while self.at == len(self.bytes):
            self.release()
            if not self.fill():
                return None
        return self.bytes[self.at]

    def skip(self, pattern: re.Pattern[bytes]) -> None:
        """Let the window begin behind a run of bytes; `pattern` matches any part of it, also an empty one."""
        while self.peek() is not None:
            match = pattern.match(self.bytes, self.at)
            if match is not None:
                self.advance(match.end())
            if self.at < len(self.bytes):
                return

    def skip_line(self) -> bool:
        """Let the window begin with the next line; False where there is none."""
        while self.peek() is not None:
            newline = self.bytes.find(b"\n", self.at)
            self.advance(newline + 1 if newline >= 0 else len(self.bytes))
            if newline >= 0:
                return True
        return False

    def line_prefix(self) -> bytes:
        """Return what stands before `at` in its line, its last bytes where it is long."""
        start = self.bytes.rfind(b"\n", 0, self.at) + 1
        prefix = bytes(self.bytes[max(start, self.at - _PREFIX) : self.at])
        return prefix if start else (self._prefix + prefix)[-_PREFIX:]
