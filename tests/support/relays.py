"""A relay on loopback that keeps every byte of what two programs say to each other."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Relay:
    """Passes on what comes to its port.

    Attributes:
        port: that it listens to.
        passed: all that was said so far, in either direction.
    """

    def __init__(self, to_port: int) -> None:
        self.passed = bytearray()
        self._to_port = to_port
        self._lock = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for end in (self._listener, *self._open):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    thread = Thread(target=self._pass_on, args=(source, target))
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                with self._lock:
                    self.passed += piece
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(to_port: int) -> Iterator[Relay]:
    """Pass on to a port of this machine while the block runs."""
    made = Relay(to_port)
    try:
        yield made
    finally:
        made.close()
