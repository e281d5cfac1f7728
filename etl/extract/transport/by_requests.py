"""Requests by way of `requests`: one at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

from etl.extract.deadline import HostAdapter, answers_by
from etl.extract.transport.request import PACKINGS
from etl.extract.wire import NoAnswerError, Response, TooLargeError, translated

if TYPE_CHECKING:
    from etl.extract.transport.request import Request, Route

_CHUNK_BYTES: Final = 64 * 1024


class RequestsWire:
    """Connections of one thread through `requests`; see `etl.extract.transport.request.Wire`."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._headers = requests.structures.CaseInsensitiveDict(route.headers)
        self._adapter = HostAdapter("://".join(urlsplit(route.connection.url)[:2]), route.trust)

    def send(self, request: Request) -> Response:
        """Send a request and read its answer."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        # Set past the library's preparation, which collapses dots and undoes percent-encoding.
        prepared.url = request.url
        prepared.headers = self._headers
        if request.body is not None:
            prepared.headers = self._headers.copy()
            prepared.headers["Content-Type"] = "application/json"
            prepared.prepare_body(request.body, None)
        timeout = self._timeouts(request.expires_at)
        proxies = self._route.connection.proxies
        answer: Any = None
        try:
            with answers_by(request.expires_at):
                answer = self._adapter.send(prepared, stream=True, timeout=timeout, proxies=proxies)
            return Response(status=answer.status, headers=answer.headers, body=self._body(answer))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Not chained: the library's texts may show the URL of a proxy with its password.
            status = None if answer is None else answer.status
            raise translated(error, door=self._route.door, status=status) from None

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _timeouts(self, expires_at: float | None) -> tuple[float, float]:
        connection = self._route.connection
        if expires_at is None:
            return connection.connect_timeout_s, connection.read_timeout_s
        left = max(expires_at - time.monotonic(), 0.001)
        return min(connection.connect_timeout_s, left), min(connection.read_timeout_s, left)

    def _body(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        """Read the body, decoded, piece by piece, so that what unpacks to gigabytes ends at the limit."""
        limit = self._route.connection.max_response_bytes
        packing = answer.headers.get("Content-Encoding", "").strip().lower()
        if packing not in PACKINGS:
            answer.close()
            raise NoAnswerError.packed(self._route.door, answer.status)
        if not packing and 0 <= (getattr(answer, "length_remaining", None) or -1) <= min(limit, _CHUNK_BYTES):
            whole: bytes = answer.read()  # no longer than it says: a small one costs one read, not two
            return whole
        pieces: list[bytes] = []
        size = 0
        while piece := answer.read(_CHUNK_BYTES, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                answer.close()
                raise TooLargeError.beyond(limit, self._route.door, answer.status)
        return b"".join(pieces)
