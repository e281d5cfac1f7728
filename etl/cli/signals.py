"""SIGINT and SIGTERM end a run in order; a second one ends it at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl.pipeline.stop import StopCause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from etl.pipeline.stop import Stop

_CAUSES = {signal.SIGINT: StopCause.INTERRUPTED, signal.SIGTERM: StopCause.TERMINATED}


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Let the signals request the stop while the block runs."""

    def request(number: int, _: FrameType | None) -> None:
        if stop.cause in _CAUSES.values():
            raise KeyboardInterrupt
        stop.request(_CAUSES[signal.Signals(number)])

    before = {number: signal.signal(number, request) for number in _CAUSES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
