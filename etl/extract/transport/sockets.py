"""Whether a connection that was kept open is still there; libcurl itself looks only after a second without use."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Final

_GO_ON: Final = 0  # pycurl.SOCKOPT_OK


class Sockets:
    """The sockets that libcurl opens to one place, known by their own port."""

    def __init__(self) -> None:
        self._opened: list[int] = []  # not yet seen at their first request
        self._watched: dict[int, select.poll] = {}

    def opened(self, number: int, _purpose: int) -> int:
        """Note a socket by its number; libcurl closes it when it likes."""
        self._opened.append(number)
        return _GO_ON

    def is_dead(self, port: int) -> bool:
        """Tell whether the connection from a port, on which nothing is awaited, has been closed by the other side."""
        if self._opened and self._watch(port):
            return False
        watched = self._watched.get(port)
        return watched is not None and bool(watched.poll(0))

    def _watch(self, port: int) -> bool:
        """Find the new socket with a port, and watch it from now on; false where none is new."""
        opened, self._opened = self._opened, []
        is_found = False
        for number in opened:
            found = _port(number)
            if found == port:
                self._watched[port] = select.poll()
                self._watched[port].register(number, select.POLLIN)
                is_found = True
            elif found is not None:
                self._opened.append(number)
        return is_found


def _port(number: int) -> int | None:
    """Return the port of a socket; None where it is closed by now."""
    with suppress(OSError):
        seen = socket.socket(fileno=number)
        try:
            return int(seen.getsockname()[1])
        finally:
            seen.detach()  # it is libcurl's
    return None
