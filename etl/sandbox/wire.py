"""HTTP/1.1 with keep-alive over asyncio: bytes in, `Request` out; `Reply` in, bytes out in one write.

A small protocol of its own answers several times as many requests as `http.server`, and a test must not wait for it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from etl.sandbox.replies import Ending, Reply
from etl.sandbox.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_HEAD = 64 * 1024
_MAX_BODY = 16 * 1024 * 1024
_BLANK_LINE = b"\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_LINGER_NOT = struct.pack("ii", 1, 0)  # closing then sends a reset instead of an orderly end


class _BadRequestError(Exception):
    """What came is no request that can be read; the connection ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection(asyncio.Protocol):
    """One client's connection. Requests are answered one after the other, in their order."""

    def __init__(self, answer: Callable[[Request], Reply], open_connections: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._open = open_connections
        self._received = bytearray()
        self._queue: deque[Request] = deque()
        self._is_waiting = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, so that the server can close it. asyncio has switched Nagle's algorithm off."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream server's protocol is always given
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the transport."""
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and answer what is complete."""
        self._received += data
        try:
            while (request := self._next()) is not None:
                self._queue.append(request)
        except _BadRequestError as error:
            self._send(Reply(status=error.status, body=b"", headers=()), with_body=True, keep=False)
            return
        self._serve()

    def _serve(self) -> None:
        while self._queue and not self._is_waiting and not self._transport.is_closing():
            request = self._queue.popleft()
            reply = self._answer(request)
            if reply.delay_s > 0:
                self._is_waiting = True
                asyncio.get_running_loop().call_later(reply.delay_s, self._send_late, request, reply)
            else:
                self._finish(request, reply)

    def _send_late(self, request: Request, reply: Reply) -> None:
        self._is_waiting = False
        if not self._transport.is_closing():
            self._finish(request, reply)
            self._serve()

    def _finish(self, request: Request, reply: Reply) -> None:
        if reply.ending is Ending.RESET:
            _reset(self._transport)
            return
        keep = request.headers.get("connection", "").lower() != "close" and reply.ending is Ending.WHOLE
        self._send(reply, with_body=request.method != "HEAD", keep=keep)

    def _send(self, reply: Reply, *, with_body: bool, keep: bool) -> None:
        lines = [f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if not keep and reply.ending is Ending.WHOLE:
            lines.append("connection: close")
        lines.append(f"content-length: {len(reply.body)}\r\n\r\n")
        body = reply.body if with_body else b""
        if reply.ending is Ending.CUT:
            body = body[: len(body) // 2]
        self._transport.write("\r\n".join(lines).encode("latin-1", "replace") + body)
        if not keep:
            self._transport.close()

    def _next(self) -> Request | None:
        """Take one complete request out of the received bytes; None where there is none yet."""
        end = self._received.find(_BLANK_LINE)
        if end < 0:
            if len(self._received) > _MAX_HEAD:
                raise _BadRequestError(431)
            return None
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = _content_length(headers)
        begin = end + len(_BLANK_LINE)
        if len(self._received) < begin + length:
            return None
        match first.split(" "):
            case [method, target, "HTTP/1.1"] if target.startswith("/"):
                body = bytes(self._received[begin : begin + length])
            case [method, target, "HTTP/1.0"] if target.startswith("/"):
                body = bytes(self._received[begin : begin + length])
                headers["connection"] = "close"
            case _:
                raise _BadRequestError(400)
        del self._received[: begin + length]
        return Request(method=method, target=target, headers=headers, body=body)


def _content_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise _BadRequestError(411)
    text = headers.get("content-length", "0")
    if not text.isdecimal() or not text.isascii():
        raise _BadRequestError(400)
    length = int(text)
    if length > _MAX_BODY:
        raise _BadRequestError(413)
    return length


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset, as a crashed server or a firewall does."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
