"""Objects as files that are read: a few large requests in the place of many small ones, in bounded memory."""

from __future__ import annotations

import io
from collections import OrderedDict, deque
from threading import Lock
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from etl.load.objects.store import Store

WINDOW_BYTES = 4 << 20
"""Of an object that are asked for at once; a smaller one is read whole, by one request."""

_KEPT_BYTES = 32 << 20


def opened(store: Store, key: str) -> IO[bytes]:
    """Open an object for reading.

    Raises:
        FileNotFoundError: there is none.
        StoreError: the store refuses.
    """
    head, size = store.read_part(key, 0, WINDOW_BYTES)
    return io.BytesIO(head) if len(head) == size else io.BufferedReader(_Windows(store, key, head, size), 1 << 16)


class _Windows(io.RawIOBase):
    """A large object of which the two pieces that were read last are kept: a file's rows, and its end that finds them.

    Args:
        store: of the object.
        key: of the object.
        head: its first bytes.
        size: of the object.
    """

    def __init__(self, store: Store, key: str, head: bytes, size: int) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._at = 0
        self._windows: deque[tuple[int, bytes]] = deque([(0, head)], maxlen=2)

    def readable(self) -> bool:
        """Tell what it is for."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any place on."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has bytes
        """Read on; a read that is larger than a window is one request."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        piece = self._piece(wanted)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _piece(self, wanted: int) -> bytes | memoryview:
        for start, content in self._windows:
            if start <= self._at < start + len(content):
                return memoryview(content)[self._at - start :][:wanted]
        content, _ = self._store.read_part(self._key, self._at, max(wanted, WINDOW_BYTES))
        if not content:
            msg = f"{self._store.scheme}://{self._key}: shorter than it was"
            raise OSError(msg)
        if wanted <= WINDOW_BYTES:
            self._windows.append((self._at, content))
        return content[:wanted]


class SpanCache:
    """Small objects that were read lately, of which many readers read one part after the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def read(self, store: Store, key: str, start: int, size: int) -> bytes:
        """Return a part of an object."""
        with self._lock:
            content = self._kept.get(key)
            if content is not None:
                self._kept.move_to_end(key)
                return content[start : start + size]
        head, whole = store.read_part(key, 0, WINDOW_BYTES)
        if len(head) == whole:
            self._keep(key, head)
        if start + size <= len(head):
            return head[start : start + size]
        return store.read_part(key, start, size)[0]

    def _keep(self, key: str, content: bytes) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = content
                self._bytes += len(content)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])
