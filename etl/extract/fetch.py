"""Many ids at once: one request each, a bounded number under way, one answer for every id whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from etl.extract.at_once import AtOnce
from etl.extract.by_threads import Threads
from etl.extract.effort import INTERRUPTED, NOT_ATTEMPTED, Effort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from threading import Event
    from types import TracebackType

    from etl.errors import EtlError
    from etl.extract.client import Client
    from etl.extract.pressure import Pressure
    from etl.extract.retry import RetryPolicy, Surroundings
    from etl.model import Answer, RequestedId

__all__ = ["INTERRUPTED", "NOT_ATTEMPTED", "Fetcher"]


class Fetcher:
    """Fetches sync jobs by id through one client, over connections that stay open as long as it lives.

    Args:
        client: of the cluster; it stays open.
        version: of the cluster, where it is known: it names the missing privilege.
        policy: how to repeat; None for that of the connection.
        world: clock, time and chance; None for the real ones.
    """

    def __init__(
        self,
        client: Client,
        *,
        version: str | None = None,
        policy: RetryPolicy | None = None,
        world: Surroundings | None = None,
    ) -> None:
        self._effort = Effort(client, version=version, policy=policy, world=world)
        wire = client.many()
        self._way = Threads(self._effort) if wire is None else AtOnce(self._effort, wire)

    @property
    def fatal(self) -> EtlError | None:
        """The error that ends the run, once there is one: credentials refused, wrong address, an outage.

        From then on no id is asked for.
        """
        return self._effort.fatal

    @property
    def pressure(self) -> Pressure:
        """The gate that every request passes; its limit is the number of requests that may be under way now."""
        return self._effort.pressure

    def fetch(self, ids: Iterable[RequestedId], *, stop: Event) -> Iterator[Answer]:
        """Yield exactly one answer for each id, as they come.

        When `stop` is set or an error ends the run, ids under way finish their current request, and the others come
        back as FAILED with a reason that begins with NOT_ATTEMPTED. Nothing is raised: see `fatal` afterwards.
        One thread at a time may take answers from a fetcher, and those of one call before the next is made.

        Args:
            ids: taken one by one, as there is room for them.
            stop: ends the fetching when it is set.
        """
        return self._way.fetch(ids, stop)

    def close(self) -> None:
        """End the fetching; threads finish their current request, and all other ones are broken off."""
        self._effort.halt()
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
