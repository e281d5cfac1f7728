"""A transport to one host whose reads end at a deadline, and that pays once for what all requests share.

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
    import ssl
    from collections.abc import Iterator, Mapping

    from _typeshed import WriteableBuffer
    from requests.models import PreparedRequest

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


class HostAdapter(HTTPAdapter):
    """The adapter of requests for one host, obeying `answers_by`; a SOCKS proxy keeps its own connections.

    Used without a session: that would look for cookies, redirects and settings of the environment with each answer,
    which costs as much as the request itself, and none is wanted here.

    Args:
        origin: scheme, host and port of all URLs that are asked for.
        trust: for TLS, to the host or to a proxy; None where none is spoken.
    """

    def __init__(self, origin: str, trust: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._trust = trust
        self._pool: Any = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # passed on as given
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, ssl_context=self._trust, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ANN401  # as in requests
        """Return the pools of connections through a proxy."""
        proxy_kwargs["ssl_context"] = self._trust
        is_socks = proxy.lower().startswith("socks")
        if not is_socks:
            proxy_kwargs["proxy_ssl_context"] = self._trust
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not is_socks:
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as in requests
        """Return the pool of connections: for one host, one proxy and one set of certificates it is the same."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:  # noqa: ANN401  # as in requests
        """Return where to connect to, and that its certificate must be trusted; by whom is said by `trust`."""
        where, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return where, {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as in requests
        """Do nothing: requests would let the certificates be read anew for each connection."""

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Return what is asked for in the first line of a request: the path, or the whole URL for an http proxy."""
        url = request.url or ""
        return super().request_url(request, proxies) if proxies else url[len(self._origin) :]

    def build_response(self, req: PreparedRequest, resp: Any) -> Any:  # noqa: ANN401, ARG002  # as in requests
        """Return the answer of urllib3 itself, which has all that the client reads, its body as it comes."""
        return resp
