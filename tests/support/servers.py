"""A scripted server on loopback: it says byte for byte what a test wants, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What a step of a script works with."""

    seen: Seen
    sock: socket.socket
    released: threading.Event


Step: TypeAlias = "Callable[[Exchange], bool]"
"""Answers one request; true where the connection stays open."""


def reply(status: int = 200, body: Any = b"", headers: dict[str, str] | None = None) -> Step:
    """Answer in order; a body that is no bytes is written as JSON."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(encoded))} | (headers or {})
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in head.items()), "", ""]

    def step(exchange: Exchange) -> bool:
        exchange.sock.sendall("\r\n".join(lines).encode() + encoded)
        return True

    return step


def raw(text: bytes) -> Step:
    """Send bytes as they are, then end the connection."""

    def step(exchange: Exchange) -> bool:
        exchange.sock.sendall(text)
        return False

    return step


def reset(exchange: Exchange) -> bool:
    """End the connection with a reset instead of an answer."""
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def silence(exchange: Exchange) -> bool:
    """Never answer."""
    exchange.released.wait()
    return False


def drip(start: bytes, drop: bytes) -> Step:
    """Send a start, then a drop every few milliseconds without end: no read time-out ever passes."""

    def step(exchange: Exchange) -> bool:
        exchange.sock.sendall(start)
        while not exchange.released.wait(0.005):
            exchange.sock.sendall(drop)
        return False

    return step


@dataclass
class ScriptedServer:
    """Answers each path by its own list of steps; the last one is repeated."""

    url: str
    scripts: dict[str, list[Step]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    fallback: Step = field(default_factory=lambda: reply(500, {"error": "no script"}))

    def on(self, path: str, *steps: Step) -> None:
        """Let a path, as it stands in the request, be answered so."""
        self.scripts[path] = list(steps)

    def on_job(self, job_id: str, *steps: Step) -> None:
        """Let a job, whose id needs no escape, be answered so."""
        self.on(f"/_connector/_sync_job/{job_id}", *steps)

    def asked(self, job_id: str) -> int:
        """How often a job was asked for."""
        return self.counts[f"/_connector/_sync_job/{job_id}"]

    def step_for(self, seen: Seen) -> Step:
        """Note a request and choose what answers it."""
        with self.lock:
            self.seen.append(seen)
            self.counts[seen.target] += 1
            steps = self.scripts.get(seen.target)
            if not steps:
                return self.fallback
            return steps[min(self.counts[seen.target], len(steps)) - 1]


def _read_request(reader: Any, connection: int) -> Seen | None:
    line = reader.readline()
    if not line:
        return None
    method, target, _ = line.decode().split(" ")
    headers: dict[str, str] = {}
    while (header := reader.readline().decode().rstrip("\r\n")) != "":
        name, _, value = header.partition(": ")
        headers[name.lower()] = value
    body = reader.read(int(headers.get("content-length", "0")))
    return Seen(method=method, target=target, headers=headers, body=body, connection=connection)


class Serving:
    """The threads of a scripted server, from its making to `end`."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.context = context
        self.released = threading.Event()
        scheme = "http" if context is None else "https"
        self.server = ScriptedServer(url=f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}")
        self.connections: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.released.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock, len(self.threads)))
            self.connections.append(sock)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):  # a client that leaves, or speaks no HTTP
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.connections.append(sock)
            with sock, sock.makefile("rb") as reader:
                while (seen := _read_request(reader, number)) is not None:
                    step = self.server.step_for(seen)
                    if not step(Exchange(seen=seen, sock=sock, released=self.released)):
                        return

    def end(self) -> None:
        """Release all steps, close all connections, and join all threads."""
        self.released.set()
        with suppress(OSError):  # wakes the acceptor
            socket.create_connection(self.listener.getsockname()).close()
        self.acceptor.join()
        self.listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for connection in self.connections:
            connection.close()
