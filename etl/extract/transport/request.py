"""What every transport is given and must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from etl.extract.address import Door
    from etl.extract.wire import Response
    from etl.settings import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request.

    Attributes:
        url: whole, percent-encoded; it is sent as it stands.
        method: of HTTP.
        body: JSON; None without.
        expires_at: when the answer must be there, as `time.monotonic()`; None for the time-outs alone.
    """

    url: str
    method: str = "GET"
    body: bytes | None = None
    expires_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What all requests of a client share.

    Attributes:
        connection: with time-outs, proxies and the size of the largest answer.
        door: that is knocked at.
        headers: of every request, credentials included.
        trust: for TLS, to the host or to a proxy; None where none is spoken.
    """

    connection: Connection
    door: Door
    headers: Mapping[str, str]
    trust: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"Route({str(self.door)!r})"  # the headers hold credentials


class Wire(Protocol):
    """Connections of one thread, which stay open."""

    def send(self, request: Request) -> Response:
        """Send a request and read its answer, whatever the status.

        Raises:
            NoAnswerError: no whole answer came; TooLargeError where it is too large.
            UnreachableError: the certificate is not trusted.
            UsageError: the proxy cannot be used.
        """

    def close(self) -> None:
        """Close all connections."""


PACKINGS = frozenset({"", "identity", "gzip", "x-gzip"})
"""Encodings of a body that are read: one layer, for two make a terabyte of a megabyte."""
