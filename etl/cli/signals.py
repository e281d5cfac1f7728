"""SIGINT and SIGTERM end a run in order; a second one ends it at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from etl.pipeline.run import Stop

_EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Let the signals request the stop while the block runs."""

    def request(number: int, _: FrameType | None) -> None:
        if stop.event.is_set():
            raise KeyboardInterrupt
        stop.request(_EXIT_CODES[signal.Signals(number)])

    before = {number: signal.signal(number, request) for number in _EXIT_CODES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
