"""Keeps an eye on the workers of a cluster: how far they are, and that they know whether the run goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from etl.engine import remote
from etl.engine.told import Seen, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from distributed import Client

_EVERY_S: Final = 1.0
_WITHIN_S: Final = 5.0
"""Seconds after which a worker that does not answer is left out; the others must not wait for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What was seen of the workers.

    Attributes:
        threads: of all workers.
        tallies: of the tasks that they do, by number.
        logged: levels and masked texts of their log lines.
    """

    threads: int
    tallies: Mapping[int, Tally] = field(default_factory=dict)
    logged: tuple[tuple[int, str], ...] = ()


class Lookout:
    """Looks at the workers every now and then, from `start` to `end`, in the thread of Dask's client.

    Args:
        client: of the cluster.
        run: its name on the workers.
        say: takes what was seen.
    """

    def __init__(self, client: Client, run: str, say: Callable[[Sight], None]) -> None:
        self._client = client
        self._run = run
        self._say = say
        self._is_halted = self._is_over = False
        self._wake, self._has_ended = asyncio.Event(), asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._client.loop.add_callback(self._watch)

    def halt(self) -> None:
        """Let all workers know, from now on, that no further request is to be made."""
        self._is_halted = True
        self._client.loop.add_callback(self._wake.set)

    def end(self) -> None:
        """Look no more, and let all workers that answer let go of the run; the others find out by themselves."""
        self._is_over = True

        async def left() -> None:
            self._wake.set()
            await self._has_ended.wait()
            self._say(await self._sight(remote.leave))

        with suppress(OSError, TimeoutError):
            self._client.sync(left, callback_timeout=2 * _WITHIN_S)

    async def _watch(self) -> None:
        while not self._is_over:
            with suppress(OSError, TimeoutError):  # whoever waits for results finds out
                self._say(await self._sight(remote.look, is_halted=self._is_halted))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _EVERY_S)
            self._wake.clear()
        self._has_ended.set()

    async def _sight(self, function: Any, **given: Any) -> Sight:  # noqa: ANN401 - what is called on a worker
        threads: dict[str, int] = await asyncio.wait_for(self._client.nthreads(), _WITHIN_S)
        seen = await asyncio.gather(*(self._ask(address, function, given) for address in threads))
        told = [answer for answer in seen if answer is not None]
        return Sight(
            threads=sum(threads.values()),
            tallies={number: tally for answer in told for number, tally in answer.tallies.items()},
            logged=tuple(line for answer in told for line in answer.logged),
        )

    async def _ask(self, address: str, function: Any, given: Mapping[str, Any]) -> Seen | None:  # noqa: ANN401
        try:
            answers = await asyncio.wait_for(
                self._client.run(function, self._run, workers=[address], on_error="return", **given), _WITHIN_S
            )
        except (OSError, TimeoutError):
            return None
        answer = answers.get(address)
        return answer if isinstance(answer, Seen) else None
