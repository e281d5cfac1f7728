"""The sandbox as a server: in a thread of its own for tests and the demo, or blocking for `etl sandbox`."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from typing import TYPE_CHECKING, Self

from etl.errors import UsageError
from etl.sandbox.cluster import Cluster
from etl.sandbox.settings import SandboxSettings
from etl.sandbox.wire import Connection

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from types import TracebackType

LOOPBACK = "127.0.0.1"


class Sandbox:
    """A stand-in Elasticsearch on a free loopback port, from `start` (or `with`) to `close`.

    Args:
        settings: what it is asked to be; None for the demo's.
        host: a loopback address.
        port: 0 for a free one.

    Attributes:
        url: scheme, host and port.

    Raises:
        UsageError: the host is no loopback address, or the settings contradict themselves.
    """

    def __init__(self, settings: SandboxSettings | None = None, *, host: str = LOOPBACK, port: int = 0) -> None:
        self._host = _loopback(host)
        self.url = ""
        self._settings = settings or SandboxSettings()
        self._cluster = Cluster(self._settings)
        self._port = port
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._started = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="etl-sandbox", daemon=True)

    @property
    def api_key(self) -> str:
        """The first API key of the settings, in the encoded form; empty where there is none."""
        return self._settings.api_keys[0].encoded if self._settings.api_keys else ""

    @property
    def requests_by_route(self) -> Counter[str]:
        """How often each route was asked, such as `GET /_connector/_sync_job/{id}`; refused requests count too."""
        return self._cluster.requests_by_route

    @property
    def requests_by_id(self) -> Counter[str]:
        """How often each job was asked for by its id, alone or with others."""
        return self._cluster.requests_by_id

    @property
    def faults(self) -> Counter[str]:
        """How often a request went wrong on purpose, by the fault's name."""
        return self._cluster.faults

    def statuses(self) -> dict[str, str | None]:
        """The status that each job has now, by id; None where its document has none."""
        return {entry.id: entry.status for entry in self._cluster.jobs.view().newest_first}

    @property
    def open_points_in_time(self) -> int:
        """How many points in time are open."""
        return len(self._cluster.points)

    def close_points_in_time(self) -> None:
        """Lose every point in time, as a restarting node does: a search in one is then answered with 404."""
        self._cluster.points.close_all()

    def advance(self, limit: int | None = None) -> list[str]:
        """Let generated jobs move on by one step: pending and suspended ones start, running ones finish.

        Args:
            limit: how many of the open jobs move on, in the order in which they were made; None for all.

        Returns:
            The ids of those that did; none of given documents.
        """
        return self._cluster.jobs.advance(limit)

    def add_jobs(self, count: int) -> list[str]:
        """Create generated jobs, a minute after each other, the first after all jobs that there are.

        Returns:
            Their ids, the earliest first: the same in every sandbox of the seed.

        Raises:
            UsageError: the count is negative, or the documents are given.
        """
        return self._cluster.jobs.add(count)

    def start(self) -> None:
        """Listen, and return once requests are answered.

        Raises:
            UsageError: the port is taken.
        """
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise _cannot_listen(self._host, self._port, self._error)

    def close(self) -> None:
        """Close the port and every connection; closing twice is fine."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except OSError as error:
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await _listen(self._cluster, self._host, self._port, self._ready, self._stop)

    def _ready(self, url: str) -> None:
        self.url = url
        self._started.set()


def serve(
    settings: SandboxSettings, *, host: str = LOOPBACK, port: int = 9200, on_ready: Callable[[str], None]
) -> None:
    """Serve until the caller is interrupted.

    Args:
        settings: what the sandbox is asked to be.
        host: a loopback address: the sandbox's credentials are public.
        port: 0 for a free one.
        on_ready: called once with the URL, when requests are answered.

    Raises:
        UsageError: the host is no loopback address, or the port is taken.
        KeyboardInterrupt: on SIGINT, after every connection is closed.
    """
    address = _loopback(host)
    cluster = Cluster(settings)

    async def listen() -> None:
        await _listen(cluster, address, port, on_ready, asyncio.Event())

    try:
        asyncio.run(listen())
    except OSError as error:
        raise _cannot_listen(host, port, error) from error


async def _listen(cluster: Cluster, host: str, port: int, on_ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set or the task is canceled."""
    tls = cluster.settings.tls
    connections: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(cluster.reply, connections), host, port, ssl=tls, backlog=1024
    )
    try:
        bound = server.sockets[0].getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        on_ready(f"{'https' if tls else 'http'}://{name}:{bound}")
        await stop.wait()
    finally:
        server.close()
        for transport in tuple(connections):
            transport.abort()
        await asyncio.sleep(0)  # lets the closed transports say so, or their sockets are reported as leaked


def _loopback(host: str) -> str:
    """Return the address to bind; `localhost` may stand for two, with a port each."""
    if host == "localhost":
        return LOOPBACK
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        msg = f"{host}: the sandbox listens on loopback only, for its credentials are public; try {LOOPBACK}"
        raise UsageError(msg)
    return host


def _cannot_listen(host: str, port: int, error: OSError) -> UsageError:
    return UsageError(f"{host}:{port}: cannot listen there ({error.strerror}); choose another port, 0 for a free one")
