"""The bytes of a saved file as a stream of blocks, unpacked where they are compressed: told by content, not by name."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 18
"""Bytes that are read at once."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a first byte of 0x50 to 0x5f: a frame of somebody's own before the first one
_MAGIC = 4  # bytes that tell
_NO_TEXT = 0xFF  # a byte that no UTF-8 holds


class BrokenStreamError(Exception):
    """The rest of a stream cannot be read; all bytes before it were yielded."""


class _Ahead:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = b""
        self.closed = False  # asked for by Arrow

    def peek(self) -> bytes:
        """Return the first bytes without taking them; fewer only at the end."""
        while len(self._head) < _MAGIC and (more := self._stream.read(_MAGIC - len(self._head))):
            self._head += more
        return self._head

    def read(self, size: int) -> bytes:
        """Take the next bytes, empty at the end."""
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._stream.read(size)

    def close(self) -> None:
        """Leave the stream open: it is closed by whoever opened it."""


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Read a stream to its end: plain, gzip or zstd, the latter two of any number of members or frames.

    Yields:
        Blocks of at most BLOCK bytes, unpacked.

    Raises:
        BrokenStreamError: it cannot be read or unpacked further.
    """
    ahead = _Ahead(stream)
    try:
        codec = _codec(ahead.peek())
        if codec is None:
            while block := ahead.read(BLOCK):
                yield block
            return
        unpacked = pa.CompressedInputStream(pa.PythonFile(ahead, mode="r"), codec)
    except OSError as error:
        raise BrokenStreamError(_reason(error)) from error
    yield from _unpack(unpacked, codec)


def _codec(magic: bytes) -> str | None:
    if magic.startswith(_GZIP):
        return "gzip"
    if magic == _ZSTD or (magic[1:] == _ZSTD_SKIPPABLE and magic[0] >> 4 == 5):  # noqa: PLR2004 - see above
        return "zstd"
    return None


def _unpack(unpacked: pa.NativeFile, codec: str) -> Iterator[bytes]:
    # Where the stream ends too early Arrow raises and does not say how much it had put into the buffer. What lies
    # behind that is still the filler, which no text ends with.
    filler = bytes([_NO_TEXT]) * BLOCK
    block = bytearray(filler)
    while True:
        try:
            size = unpacked.readinto(block)
        except OSError as error:
            yield bytes(block.rstrip(filler[:1]))
            msg = f"{codec}: {_reason(error)}"
            raise BrokenStreamError(msg) from error
        if not size:
            return
        yield bytes(block[:size])
        block[:] = filler


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
