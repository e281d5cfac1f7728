"""SIGINT and SIGTERM end a run in order; a second one ends it at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl.pipeline.stop import SIGNALS, StopCause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from etl.pipeline.stop import Stop

_CAUSES = {signal.SIGINT: StopCause.INTERRUPTED, signal.SIGTERM: StopCause.TERMINATED}


class EndedAtOnceError(KeyboardInterrupt):
    """A second signal came: whoever sent it does not want to wait for the end in order.

    Args:
        cause: which signal it was.
        left: what becomes of the work that was done; empty where there is nothing to say.
    """

    def __init__(self, cause: StopCause, left: str) -> None:
        super().__init__(f"{cause} at once; {left}" if left else f"{cause} at once")
        self.exit_code = SIGNALS[cause]


@contextmanager
def stopping(stop: Stop, *, left: str = "") -> Iterator[None]:
    """Let the signals request the stop while the block runs.

    Args:
        stop: what the first signal requests.
        left: see `EndedAtOnceError`.

    Raises:
        EndedAtOnceError: a second signal came.
    """

    def request(number: int, _: FrameType | None) -> None:
        cause = _CAUSES[signal.Signals(number)]
        if stop.cause in SIGNALS:
            raise EndedAtOnceError(cause, left)
        stop.request(cause)

    before = {number: signal.signal(number, request) for number in _CAUSES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
