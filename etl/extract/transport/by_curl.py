"""Requests by way of libcurl: any number at once, all driven by the thread that waits for their ends."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

import pycurl

from etl.extract.transport.curl_handle import handle_for
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
            transfer = self._idle.pop() if self._idle else Transfer(handle_for(self._route), self._route, self._sockets)
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
        handle = handle_for(self._route, *(["Content-Type: application/json"] if request.body is not None else []))
        if request.body is not None:
            handle.setopt(pycurl.POSTFIELDS, request.body)
        handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        return Transfer(handle, self._route, self._sockets, is_reusable=False)
