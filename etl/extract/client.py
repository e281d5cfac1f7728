"""A small typed client: one request in, one whole answer out. It judges no answer and repeats no request."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3

from etl.errors import UsageError
from etl.extract.address import door_of, split_proxy
from etl.extract.auth import auth_of, secrets_of, sent_credentials
from etl.extract.deadline import HostAdapter, answers_by
from etl.extract.trust import trust_of
from etl.extract.wire import NoAnswerError, Response, TooLargeError, translated
from etl.scrub import Masker
from etl.settings.installed import PROJECT, version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from etl.settings import Connection

_CHUNK_BYTES: Final = 64 * 1024
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip"})  # one layer: two make a terabyte of a megabyte


class Client:
    """Sends requests to one cluster, from any number of threads, each with connections of its own that stay open.

    Nothing of the environment is read: proxies and certificates are those of the connection, and no `~/.netrc`.

    Attributes:
        connection: how the cluster is reached.
        sent: what is sent as credentials, in words.
        masker: masks the credentials, and what looks like a secret, in text.

    Raises:
        UsageError: URL, proxies, credentials or certificates of the connection cannot be used.
    """

    def __init__(self, connection: Connection) -> None:
        _check_proxies(connection)
        self.connection = connection
        self.sent = sent_credentials(connection)
        self.masker = Masker(secrets_of(connection))
        hops = (connection.url, *connection.proxies.values())
        self._trust = trust_of(connection) if any(hop.lower().startswith("https:") for hop in hops) else None
        self._door = door_of(connection)
        self._origin = "://".join(urlsplit(connection.url)[:2])
        self._template = _template(connection)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._adapters: list[HostAdapter] = []

    def get_job(self, job_id: str, *, expires_at: float | None = None) -> Response:
        """Ask for one sync job. For arguments and errors see `request`."""
        return self.request("GET", f"/_connector/_sync_job/{quote(job_id, safe='')}", expires_at=expires_at)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        expires_at: float | None = None,
    ) -> Response:
        """Send one request and read its answer, whatever the status.

        Args:
            method: the HTTP method.
            path: from the root of the cluster, with a leading slash, percent-encoded.
            params: of the query.
            body: JSON.
            expires_at: when the answer must be there, as `time.monotonic()`; None for the time-outs alone.

        Raises:
            NoAnswerError: no whole answer came; TooLargeError where it is too large.
            UnreachableError: the certificate is not trusted.
            UsageError: the proxy cannot be used.
        """
        prepared = requests.PreparedRequest()
        prepared.method = method
        # Set past the library's preparation, which collapses dots and undoes percent-encoding.
        prepared.url = self.connection.url + path + (f"?{urlencode(params)}" if params else "")
        prepared.headers = self._template.headers
        if body is not None:
            prepared.headers = self._template.headers.copy()
            prepared.headers["Content-Type"] = "application/json"
            prepared.prepare_body(body, None)
        adapter = self._adapter()
        timeout = self._timeouts(expires_at)
        answer: Any = None
        try:
            with answers_by(expires_at):
                answer = adapter.send(prepared, stream=True, timeout=timeout, proxies=self.connection.proxies)
            return Response(status=answer.status, headers=answer.headers, body=self._body(answer))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Not chained: the library's texts may show the URL of a proxy with its password.
            raise translated(error, door=self._door, status=None if answer is None else answer.status) from None

    def mask(self, text: str) -> str:
        """Mask in a text the credentials, and what looks like a secret."""
        return self.masker.text(text)

    def close(self) -> None:
        """Close all connections; no request may be under way."""
        with self._lock:
            while self._adapters:
                self._adapters.pop().close()
            self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._door)!r}, sends {self.sent})"

    def _adapter(self) -> HostAdapter:
        adapter: HostAdapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = HostAdapter(self._origin, self._trust)
            with self._lock:
                self._adapters.append(adapter)
        return adapter

    def _timeouts(self, expires_at: float | None) -> tuple[float, float]:
        connection = self.connection
        if expires_at is None:
            return connection.connect_timeout_s, connection.read_timeout_s
        left = expires_at - time.monotonic()
        if left <= 0:
            msg = f"{self._door}: the deadline passed before the request"
            raise NoAnswerError(msg)
        return min(connection.connect_timeout_s, left), min(connection.read_timeout_s, left)

    def _body(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        """Read the body, decoded, piece by piece, so that what unpacks to gigabytes ends at the limit."""
        limit = self.connection.max_response_bytes
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            answer.close()
            msg = f"{self._door}: the answer is packed in a way that was not asked for"
            raise NoAnswerError(msg, answer.status)
        if not encoding and 0 <= (getattr(answer, "length_remaining", None) or -1) <= min(limit, _CHUNK_BYTES):
            whole: bytes = answer.read()  # no longer than it says: a small one costs one read, not two
            return whole
        pieces: list[bytes] = []
        size = 0
        while piece := answer.read(_CHUNK_BYTES, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                answer.close()
                msg = f"{self._door}: the answer is larger than {limit} bytes"
                raise TooLargeError(msg, answer.status)
        return b"".join(pieces)


def _template(connection: Connection) -> requests.PreparedRequest:
    """Prepare once what all requests share; preparing anew costs more than sending."""
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"{PROJECT}/{version()}",
    }
    try:
        prepared = requests.Request("GET", connection.url, headers=headers, auth=auth_of(connection)).prepare()
    except requests.RequestException as error:
        msg = f"the URL of the cluster cannot be used ({type(error).__name__}): check ELASTICSEARCH_URL"
        raise UsageError(msg) from None  # the library's text shows the URL
    if not connection.url.lower().startswith(("http://", "https://")):
        msg = "the URL of the cluster starts with neither http:// nor https://: check ELASTICSEARCH_URL"
        raise UsageError(msg)
    return prepared


def _check_proxies(connection: Connection) -> None:
    for scheme, proxy in connection.proxies.items():
        try:
            host = split_proxy(proxy).hostname
        except ValueError:
            host = None
        if not host:  # the library would end in a TypeError
            msg = f"the proxy for {scheme} is no URL with a host: check {scheme.upper()}_PROXY"
            raise UsageError(msg)
