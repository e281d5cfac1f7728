"""A small typed client: one request in, one whole answer out. It judges no answer and repeats no request."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode

import requests

from etl.errors import UsageError
from etl.extract.address import door_of, split_proxy
from etl.extract.auth import auth_of, secrets_of, sent_credentials
from etl.extract.transport.choice import choose, many_of, wire_of
from etl.extract.transport.request import Request, Route
from etl.extract.trust import trust_of
from etl.extract.wire import NoAnswerError
from etl.scrub import Masker
from etl.settings import Transport
from etl.settings.installed import PROJECT, version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from etl.extract.transport.by_curl import CurlWire
    from etl.extract.transport.request import Wire
    from etl.extract.wire import Response
    from etl.settings import Connection


class Client:
    """Sends requests to one cluster, from any number of threads, each with connections of its own that stay open.

    Nothing of the environment is read: proxies and certificates are those of the connection, and no `~/.netrc`.

    Attributes:
        connection: how the cluster is reached.
        choice: what carries the requests.
        sent: what is sent as credentials, in words.
        masker: masks the credentials, and what looks like a secret, in text.

    Raises:
        UsageError: URL, proxies, credentials or certificates of the connection cannot be used.
    """

    def __init__(self, connection: Connection) -> None:
        _check_proxies(connection)
        self.choice = choose(connection)
        self.connection = connection
        self.sent = sent_credentials(connection)
        self.masker = Masker(secrets_of(connection))
        hops = (connection.url, *connection.proxies.values())
        self._route = Route(
            connection=connection,
            door=door_of(connection),
            headers=_template(connection).headers,
            trust=trust_of(connection) if any(hop.lower().startswith("https:") for hop in hops) else None,
        )
        self._jobs_url = f"{connection.url}/_connector/_sync_job/"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._wires: list[Wire] = []

    def get_job(self, job_id: str, *, expires_at: float | None = None) -> Response:
        """Ask for one sync job. For arguments and errors see `request`."""
        return self._sent(self.job_request(job_id, expires_at=expires_at))

    def job_request(self, job_id: str, *, expires_at: float | None = None) -> Request:
        """Return the request for one sync job."""
        return Request(url=f"{self._jobs_url}{quote(job_id, safe='')}", expires_at=expires_at)

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
        url = f"{self.connection.url}{path}{f'?{urlencode(params)}' if params else ''}"
        return self._sent(Request(method=method, url=url, body=body, expires_at=expires_at))

    def many(self) -> CurlWire | None:
        """Return connections for many requests at once, to be closed by the caller; None where there are none such."""
        return many_of(self._route) if self.choice.transport is Transport.CURL else None

    def mask(self, text: str) -> str:
        """Mask in a text the credentials, and what looks like a secret."""
        return self.masker.text(text)

    def close(self) -> None:
        """Close all connections; no request may be under way."""
        with self._lock:
            while self._wires:
                self._wires.pop().close()
            self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._route.door)!r}, sends {self.sent})"

    def _sent(self, request: Request) -> Response:
        if request.expires_at is not None and request.expires_at <= time.monotonic():
            msg = f"{self._route.door}: the deadline passed before the request"
            raise NoAnswerError(msg)
        return self._wire().send(request)

    def _wire(self) -> Wire:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = wire_of(self.choice, self._route)
            with self._lock:
                self._wires.append(wire)
        return wire


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
