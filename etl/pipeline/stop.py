"""What ends a run before its last id: a signal, a deadline, too many failures."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Final

from etl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator


class StopCause(StrEnum):
    """Why a run ends early; the words complete "not_attempted: "."""

    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    DEADLINE = "the run's deadline came first"
    FAILURES = "more ids failed than --max-failures allows"


SIGNALS: Final = {StopCause.INTERRUPTED: ExitCode.INTERRUPTED, StopCause.TERMINATED: ExitCode.TERMINATED}
"""The causes that are signals, and what a command ends with then."""


class Stop:
    """Lets whoever has a reason end a run in order; the first cause counts.

    Attributes:
        event: set when no further request is to be made.
        cause: why; None while nobody asked.
    """

    def __init__(self) -> None:
        self.event = Event()
        self.cause: StopCause | None = None
        self._lock = Lock()

    def request(self, cause: StopCause) -> None:
        """Ask the run to end. A signal overrules a deadline, for the operator waits for its exit code."""
        with self._lock:
            if self.cause is None or cause in SIGNALS:
                self.cause = cause
        self.event.set()

    @contextmanager
    def after(self, seconds: float | None) -> Iterator[None]:
        """Ask for the end when the deadline comes while the block runs; None is no deadline."""
        if seconds is None:
            yield
            return
        timer = Timer(seconds, self.request, (StopCause.DEADLINE,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
