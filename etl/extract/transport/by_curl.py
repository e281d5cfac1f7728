"""Requests by way of libcurl: any number at once, all driven by the thread that waits for their ends."""

from __future__ import annotations

import math
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import pycurl
import requests.utils

from etl.extract.transport.sockets import Sockets
from etl.extract.transport.transfer import Transfer

if TYPE_CHECKING:
    from etl.errors import EtlError
    from etl.extract.transport.request import Request, Route
    from etl.extract.wire import Response

_LONG_S: Final = 3600.0
_BLIND_S: Final = 0.01  # between looks where libcurl has no socket to wait for


class CurlWire:
    """Connections of one thread through libcurl; see `etl.extract.transport.request.Wire`."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._multi = pycurl.CurlMulti()
        self._sockets = Sockets()
        self._idle: list[Transfer] = []
        self._active: dict[pycurl.Curl, Transfer] = {}
        self._look_at = math.inf  # before then no transfer is due

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._active)

    def send(self, request: Request) -> Response:
        """Send a request and read its answer; none may be under way."""
        self.begin(request, None)
        try:
            while not (ends := self.ended(_LONG_S)):
                pass
        finally:
            self.abandon()
        (_, end), *_ = ends
        if isinstance(end, Exception):
            raise end
        return end

    def begin(self, request: Request, key: object) -> None:
        """Begin a request; its end comes with its key out of `ended`."""
        if request.body is not None or request.method != "GET":
            transfer = self._made_for(request)
        else:
            transfer = self._idle.pop() if self._idle else Transfer(_handle(self._route), self._route, self._sockets)
        transfer.begin(request, key)
        self._active[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)
        least_s = min(self._route.connection.read_timeout_s, self._route.connection.connect_timeout_s)
        self._look_at = min(self._look_at, transfer.expires_at, time.monotonic() + least_s)

    def ended(self, wait_s: float) -> list[tuple[Any, Response | EtlError]]:
        """Drive all requests until one has ended, or so many seconds have passed.

        Returns:
            Key and end of each request that has ended; none where time was up, or something happened that ends none.
        """
        self._multi.perform()
        ends = self._gathered()
        if ends or not self._active or wait_s <= 0:
            return ends
        self._wait(wait_s)
        self._multi.perform()
        return self._gathered()

    def abandon(self) -> list[Any]:
        """Break off what is under way; return its keys."""
        broken_off = list(self._active.values())
        keys = [transfer.key for transfer in broken_off]
        for transfer in broken_off:
            self._take_off(transfer)
        return keys

    def close(self) -> None:
        """Close all connections; no request may be under way."""
        self.abandon()
        while self._idle:
            self._idle.pop().handle.close()
        self._multi.close()

    def _wait(self, wait_s: float) -> None:
        libcurls_ms = self._multi.timeout()
        left = min(wait_s, self._look_at - time.monotonic(), libcurls_ms / 1000 if libcurls_ms >= 0 else math.inf)
        if left > 0 and self._multi.select(left) < 0:
            time.sleep(min(left, _BLIND_S))

    def _gathered(self) -> list[tuple[Any, Response | EtlError]]:
        ends: list[tuple[Any, Response | EtlError]] = []
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for handle in done:
                transfer = self._active[handle]
                ends.append((transfer.key, transfer.end()))
                self._take_off(transfer)
            for handle, code, said in failed:
                transfer = self._active[handle]
                if transfer.is_unsent:
                    self._multi.remove_handle(handle)
                    self._multi.add_handle(handle)
                else:
                    ends.append((transfer.key, transfer.end(code, said)))
                    self._take_off(transfer)
        now = time.monotonic()
        if now >= self._look_at:
            for transfer in [each for each in self._active.values() if each.due() <= now]:
                ends.append((transfer.key, transfer.late()))
                self._take_off(transfer)
            self._look_at = min((self._due(transfer, now) for transfer in self._active.values()), default=math.inf)
        return ends

    def _due(self, transfer: Transfer, now: float) -> float:
        """Return when to look at a transfer again; one without a connection may have one at any time."""
        due = transfer.due()
        return due if due < math.inf else now + self._route.connection.read_timeout_s

    def _take_off(self, transfer: Transfer) -> None:
        """Let go of a request, and with one that is not over of its connection."""
        del self._active[transfer.handle]
        self._multi.remove_handle(transfer.handle)
        transfer.key = None
        if transfer.is_reusable:
            self._idle.append(transfer)
        else:
            transfer.handle.close()

    def _made_for(self, request: Request) -> Transfer:
        """Return a handle for a request that is not a plain GET, to be used once."""
        handle = _handle(self._route, *(["Content-Type: application/json"] if request.body is not None else []))
        if request.body is not None:
            handle.setopt(pycurl.POSTFIELDS, request.body)
        handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        return Transfer(handle, self._route, self._sockets, is_reusable=False)


def _handle(route: Route, *more: str) -> pycurl.Curl:
    """Return a handle with all that requests share. Nothing of the environment is heard, and nothing is added."""
    handle = pycurl.Curl()
    connection = route.connection
    lines = [*(f"{name}: {value}" for name, value in route.headers.items()), *more, "Expect:"]
    for option, value in (
        (pycurl.HTTPHEADER, lines),
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP09_ALLOWED, 0),
        (pycurl.HTTP_CONTENT_DECODING, 0),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.CONNECTTIMEOUT_MS, max(1, math.ceil(connection.connect_timeout_s * 1000))),
    ):
        handle.setopt(option, value)
    _set_proxy(handle, route)
    if route.trust is not None:
        _set_trust(handle, route, route.trust)
    return handle


def _set_proxy(handle: pycurl.Curl, route: Route) -> None:
    proxy = requests.utils.select_proxy(route.connection.url, dict(route.connection.proxies)) or ""
    handle.setopt(pycurl.PROXY, proxy)  # without a scheme it is http, as for requests; empty is none at all
    handle.setopt(pycurl.NOPROXY, "")
    handle.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
    if route.trust is not None and proxy.lower().startswith("https:"):
        handle.setopt(pycurl.PROXY_SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        handle.setopt(pycurl.PROXY_CAINFO, _bundle(route) or "")
        handle.setopt(pycurl.PROXY_CAPATH, _folder(route) or "")


def _set_trust(handle: pycurl.Curl, route: Route, trust: ssl.SSLContext) -> None:
    """Trust what Python's own context does, and no authority that libcurl was built with."""
    handle.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    handle.setopt(pycurl.SSL_VERIFYPEER, 1)
    handle.setopt(pycurl.SSL_VERIFYHOST, 2)
    bundle, folder = _bundle(route), _folder(route)
    handle.setopt(pycurl.CAINFO, bundle) if bundle else handle.unsetopt(pycurl.CAINFO)
    handle.setopt(pycurl.CAPATH, folder) if folder else handle.unsetopt(pycurl.CAPATH)
    if not trust.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN:
        handle.setopt(pycurl.SSL_OPTIONS, pycurl.SSLOPT_NO_PARTIALCHAIN)


def _bundle(route: Route) -> str | None:
    path = route.connection.ca_certs
    if path is None:
        return str(requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return None if path.is_dir() else str(path)


def _folder(route: Route) -> str | None:
    path = route.connection.ca_certs
    return str(path) if path is not None and path.is_dir() else None
