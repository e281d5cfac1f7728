"""One exchange through libcurl: what has come of an answer so far, and what it ends with."""

from __future__ import annotations

import http.client
import math
import re
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

import pycurl
import urllib3

from etl.extract.transport.curl_errors import CurlFailure, exception_of, read_timeout
from etl.extract.transport.headers import RawHeaders
from etl.extract.transport.request import PACKINGS
from etl.extract.transport.unpack import Gunzip
from etl.extract.wire import NoAnswerError, Response, TooLargeError, translated

if TYPE_CHECKING:
    from etl.errors import EtlError
    from etl.extract.transport.request import Request, Route
    from etl.extract.transport.sockets import Sockets

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})[ \r\n]")
_FINAL: Final = 200  # statuses below announce another head
_MOST_LINES: Final = 100  # of a head, as Python's own reader of HTTP allows
_LONGEST_LINE: Final = 65_536  # likewise, in bytes
_BLANK: Final = frozenset({b"\r\n", b"\n"})
_ABORT: Final = 0  # a callback that takes fewer bytes than it is given ends the transfer


class Transfer:
    """A handle of libcurl that makes one request after the other.

    Args:
        handle: with all options that requests share.
        route: that requests take.
        sockets: of the connections that it may use.
        is_reusable: whether it makes more than one.

    Attributes:
        handle: the same.
        is_reusable: the same.
        key: of the request under way, given back with its end.
        expires_at: when that must be there, as `time.monotonic()`; infinite without.
        is_unsent: whether it ended for a connection that was closed before the request, and may be driven again.
    """

    def __init__(self, handle: pycurl.Curl, route: Route, sockets: Sockets, *, is_reusable: bool = True) -> None:
        self.handle = handle
        self.is_reusable = is_reusable
        self.key: Any = None
        self.expires_at = math.inf
        self.is_unsent = False
        self._route = route
        self._sockets = sockets
        self._limit = route.connection.max_response_bytes
        self._read_timeout_s = route.connection.read_timeout_s
        self._begin()
        handle.setopt(pycurl.SOCKOPTFUNCTION, sockets.opened)
        handle.setopt(pycurl.PREREQFUNCTION, self._connected)
        handle.setopt(pycurl.HEADERFUNCTION, self._line)
        handle.setopt(pycurl.WRITEFUNCTION, self._piece)

    def begin(self, request: Request, key: object) -> None:
        """Take on a request, which goes out as soon as the handle is driven."""
        self._begin()
        self.key = key
        self.expires_at = math.inf if request.expires_at is None else request.expires_at
        self.handle.setopt(pycurl.URL, request.url)
        if request.expires_at is not None:
            left = request.expires_at - time.monotonic()
            connect_s = min(self._route.connection.connect_timeout_s, left)
            self.handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, math.ceil(connect_s * 1000)))

    def due(self) -> float:
        """Return when it is given up, as `time.monotonic()`; libcurl itself gives up where no connection stands."""
        heard_at = self._heard_at
        return self.expires_at if heard_at is None else min(self.expires_at, heard_at + self._read_timeout_s)

    def end(self, code: int = 0, said: str = "") -> Response | EtlError:
        """Return the answer, or what stands in its place.

        Args:
            code: libcurl's CURLE_*; 0 where it found nothing wrong.
            said: its text.
        """
        if not code:
            self._close()
        if self._problem is not None:
            return self._problem
        if code:
            failure = CurlFailure(
                code=code,
                said=said,
                errno=self.handle.getinfo(pycurl.OS_ERRNO),
                tunnel=self.handle.getinfo(pycurl.HTTP_CONNECTCODE),
                verified=self.handle.getinfo(pycurl.SSL_VERIFYRESULT),
            )
            return self._failed(exception_of(failure, self._route.door))
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return Response(status=self._status, headers=RawHeaders(self._lines), body=body)

    def late(self) -> EtlError:
        """Return what stands in the place of an answer that is given up."""
        return self._failed(read_timeout(self._route.door))

    def _close(self) -> None:
        """Find what libcurl takes for an end and is none."""
        if not self._status:
            self._fail(http.client.IncompleteRead(b""))  # the connection ended within the head
        elif not self._is_open:
            self._open()  # a body without a byte is looked at too
        elif self._packed is not None and not self._packed.is_whole:
            self._fail(urllib3.exceptions.DecodeError())

    def _begin(self) -> None:
        self._is_open = False
        self._lines: list[bytes] = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._status = 0  # once the head is whole
        self._packed: Gunzip | None = None
        self._problem: EtlError | None = None
        self._heard_at: float | None = None

    def _connected(self, _ip: str, _own_ip: str, _port: int, own_port: int) -> int:
        """Let the request go out, once: libcurl would repeat it where a connection that was kept open has died."""
        self.is_unsent = self._heard_at is None and self._sockets.is_dead(own_port)
        if self.is_unsent or self._heard_at is not None:
            return pycurl.PREREQFUNC_ABORT  # type: ignore[no-any-return]  # it ships no types
        self._heard_at = time.monotonic()
        return pycurl.PREREQFUNC_OK  # type: ignore[no-any-return]  # likewise

    def _line(self, line: bytes) -> int | None:
        """Take a line of a head, whichever: that of a proxy, one that announces another, or the last."""
        if self._status:
            return None  # a trailer
        if line.startswith(b"HTTP/"):
            self._lines = [line]
            return None
        self._lines.append(line)
        if line in _BLANK:
            return self._end_of_head()
        if len(self._lines) > _MOST_LINES or len(line) > _LONGEST_LINE:
            self._fail(http.client.HTTPException() if len(line) <= _LONGEST_LINE else http.client.LineTooLong(""))
            return _ABORT
        return None

    def _end_of_head(self) -> int | None:
        if self._heard_at is None:
            return None  # no request is sent yet: a proxy opens its tunnel
        self._heard_at = time.monotonic()
        found = _STATUS_LINE.match(self._lines[0])
        if not found:
            self._fail(http.client.BadStatusLine(""))
            return _ABORT
        status = int(found[1])
        if status >= _FINAL:
            self._status = status
        return None

    def _piece(self, piece: bytes) -> int | None:
        self._heard_at = time.monotonic()
        if not self._is_open and not self._open():
            return _ABORT
        if self._packed is not None:
            try:
                piece = self._packed.feed(piece, self._limit + 1 - self._size)
            except zlib.error:
                self._fail(urllib3.exceptions.DecodeError())
                return _ABORT
        self._size += len(piece)
        if self._size > self._limit:
            self._problem = TooLargeError.beyond(self._limit, self._route.door, self._status)
            return _ABORT
        self._pieces.append(piece)
        return None

    def _open(self) -> bool:
        """Look how the body is packed; false where it cannot be read."""
        self._is_open = True
        if b"\ncontent-encoding:" not in b"".join(self._lines).lower():
            return True
        packing = RawHeaders(self._lines)["content-encoding"].lower()
        if packing not in PACKINGS:
            self._problem = NoAnswerError.packed(self._route.door, self._status)
            return False
        self._packed = Gunzip() if packing.endswith("gzip") else None
        return True

    def _fail(self, error: Exception) -> None:
        self._problem = self._failed(error)

    def _failed(self, error: Exception) -> EtlError:
        return translated(error, door=self._route.door, status=self._status or None)
