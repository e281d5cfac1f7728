"""A transport whose reads end at a deadline.

A read time-out starts anew with each byte, so that a server that sends one byte a second holds a reader for days, in
the head of an answer as well as in its body. Here each read of the socket waits no longer than what is left.
"""

from __future__ import annotations

import http.client
import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

_EXPIRES_AT: ContextVar[float | None] = ContextVar("_EXPIRES_AT", default=None)


@contextmanager
def answers_by(expires_at: float | None) -> Iterator[None]:
    """Let every answer that this thread begins to read in the block end at a time of `time.monotonic()`."""
    token = _EXPIRES_AT.set(expires_at)
    try:
        yield
    finally:
        _EXPIRES_AT.reset(token)


class _TimedReads(io.RawIOBase):
    """The bytes of a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, expires_at: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._expires_at = expires_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        left = self._expires_at - time.monotonic()
        if left <= 0:
            msg = "the deadline has passed"
            raise TimeoutError(msg)
        timeout = self._sock.gettimeout()
        if timeout is None or left < timeout:
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # passed on as given
        super().__init__(sock, *args, **kwargs)
        expires_at = _EXPIRES_AT.get()
        if expires_at is not None:
            self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock, expires_at))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class DeadlineAdapter(HTTPAdapter):
    """The adapter of requests, obeying `answers_by`; a SOCKS proxy keeps its own connections, with time-outs only."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # passed on as given
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ANN401  # as in requests
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
