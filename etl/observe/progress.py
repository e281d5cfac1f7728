"""Progress: a bar on a terminal, a line now and then in a log, nothing when quiet. A log for machines gets no bar."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from etl.observe.logs import LOGGER, is_for_machines

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tqdm import tqdm

HEARTBEAT_S = 30.0
"""Seconds between two lines in a log."""


class Progress(Protocol):
    """Told of each id that has its answer."""

    def advance(self, count: int) -> None:
        """Count further ids."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Silent:
    """Shows nothing."""

    def advance(self, count: int) -> None:
        """Count nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Heartbeat(Silent):
    """Logs how far the run is, every HEARTBEAT_S at most."""

    def __init__(self, total: int | None, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._what, self._clock = total, what, clock
        self._done = 0
        self._start = self._next = clock()
        self._next += HEARTBEAT_S

    def advance(self, count: int) -> None:
        """Count ids, and log when the time has come."""
        self._done += count
        now = self._clock()
        if now >= self._next:
            self._next = now + HEARTBEAT_S
            rate = self._done / (now - self._start)
            share = f"{self._done}" if self._total is None else f"{self._done} of {self._total}"
            LOGGER.info("%s: %s (%.0f a second)", self._what, share, rate)


class _Above:
    """Where log lines go while there is a bar: above it, each in a line of its own."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar

    def write(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr, end="")

    def flush(self) -> None:
        sys.stderr.flush()


class Bar(Silent):
    """A tqdm bar on stderr; what is logged meanwhile stands above it."""

    def __init__(self, total: int | None, what: str) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - loaded only where there is a terminal

        self._bar = tqdm(total=total, desc=what, unit="job", file=sys.stderr, dynamic_ncols=True, leave=False)
        self._before = {
            handler: handler.stream
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        }
        for handler in self._before:
            handler.setStream(_Above(self._bar))

    def advance(self, count: int) -> None:
        """Move the bar."""
        self._bar.update(count)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handler, stream in self._before.items():
            handler.setStream(stream)
        self._bar.close()


def progress(total: int | None, what: str, *, quiet: bool) -> Progress:
    """Return the progress that fits where stderr goes; `total` is None where nobody knows it yet."""
    if quiet:
        return Silent()
    has_bar = sys.stderr.isatty() and not is_for_machines()
    return Bar(total, what) if has_bar else Heartbeat(total, what)
