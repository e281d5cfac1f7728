"""What a worker of a Dask cluster does for a run.

All functions but `do` are called in the worker's event loop, and wait for nothing. What a worker holds of a run, such
as connections, is opened once for each task that it does at a time, serves the tasks that follow, and is closed when
the run ends, or when the worker has not heard of the run for a while.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from etl.engine.carried import masked
from etl.engine.told import Broken, Finished, Forsaken, Seen, Tally, Versions
from etl.errors import EtlError
from etl.observe.logs import LOGGER
from etl.scrub import Masker
from etl.settings.installed import version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.engine.sealed import Sealed
    from etl.engine.work import Steps, WorkAbroad

FORSAKEN_AFTER_S: Final = 60.0
"""Seconds without a word from the run after which a worker ends what it does for it."""

_LOOK_EVERY_S: Final = 1.0
_MOST_LINES: Final = 1_000


def versions() -> Versions:
    """Return what has to be the same wherever batches run."""
    return Versions(
        python=".".join(platform.python_version_tuple()[:2]),
        etl=version(),
        pyarrow=version("pyarrow"),
        distributed=version("distributed"),
    )


def check(sealed: Sealed) -> EtlError | None:
    """Look whether this worker can do a work; return what stands against it."""
    _take_logs()
    work: WorkAbroad[Any, Any] = sealed.opened()
    try:
        work.check()
    except Exception as error:  # noqa: BLE001 - it is raised where the run is
        return masked(error, Masker().text)
    return None


def look(run: str, *, is_halted: bool) -> Seen:
    """Tell how far this worker is with a run, and let it know that the run goes on, or is halted."""
    return _held(run).seen(is_halted=is_halted)


def leave(run: str) -> Seen:
    """Let go of a run, whose requests end."""
    held = _held(run)
    seen = held.seen(is_halted=True)
    held.over.set()
    return seen


def do(run: str, number: int, is_halted: bool, sealed: Sealed) -> Finished | Broken | Forsaken:  # noqa: FBT001 - Dask hands them over
    """Do a task. Nothing is raised, for Dask would log and show an error as it is.

    Args:
        run: that gave it.
        number: of the task in the run.
        is_halted: whether no request is to be made.
        sealed: work and task.
    """
    held = _held(run)
    mask = Masker().text
    try:
        work, task = sealed.opened()
        if is_halted:
            held.stop.set()
        _check_here(work)
        mask = held.mask_with(work)
        with held.opened(work) as place, held.counted(number, place):
            fetched = place.steps.fetch(task)
            with _STAGING:
                result = place.steps.stage(task, fetched)
            tally = place.tally
    except Exception as error:  # noqa: BLE001 - it is raised where the run is
        return Broken(error=masked(error, mask))
    return Forsaken() if held.is_forsaken else Finished(result=result, tally=tally)


@dataclass(kw_only=True, slots=True, eq=False)
class _Place:
    """What one task at a time needs.

    Attributes:
        work: what is done.
        steps: of a task.
        stack: closes them.
        tally: of the task that is done now.
    """

    work: WorkAbroad[Any, Any]
    stack: ExitStack
    steps: Steps[Any, Any] = field(init=False)
    tally: Tally = field(default_factory=Tally)

    def count(self, answers: int, failures: int) -> None:
        """Count ids of the task."""
        was = self.tally
        self.tally = Tally(answers=was.answers + answers, failures=was.failures + failures)


class _Held:
    """What this worker holds of a run.

    Attributes:
        stop: set when no further request is to be made.
        over: set when the run has ended.
        is_forsaken: whether nothing was heard of the run for too long.
    """

    def __init__(self, run: str) -> None:
        self.stop, self.over = Event(), Event()
        self.is_forsaken = False
        self.lines: deque[tuple[int, str]] = deque(maxlen=_MOST_LINES)
        self.masker = Masker()
        self._run = run
        self._lock = Lock()
        self._idle: list[_Place] = []
        self._busy: dict[int, _Place] = {}
        self._heard_at = time.monotonic()
        Thread(target=self._keep, name=f"etl-{run}", daemon=True).start()

    def seen(self, *, is_halted: bool) -> Seen:
        """Note that the run lives, and tell how far its tasks are."""
        self._heard_at = time.monotonic()
        if is_halted:
            self.stop.set()
        with self._lock:
            tallies = {number: place.tally for number, place in self._busy.items()}
        lines = [self.lines.popleft() for _ in range(len(self.lines))]
        return Seen(tallies=tallies, logged=tuple(lines))

    def mask_with(self, work: WorkAbroad[Any, Any]) -> Any:  # noqa: ANN401 - a function of text
        """Mask the secrets of a work in log lines from now on, and return what does it in other texts."""
        self.masker = Masker(work.secrets())
        return self.masker.text

    @contextmanager
    def opened(self, work: WorkAbroad[Any, Any]) -> Iterator[_Place]:
        """Give a place where such work is done; one that is free, or a new one."""
        place = self._free(work)
        if place is None:
            place = _Place(work=work, stack=ExitStack())
            place.steps = place.stack.enter_context(work.open(self.stop, place.count))
        try:
            yield place
        finally:
            with self._lock:
                is_kept = not self.over.is_set()
                if is_kept:
                    self._idle.append(place)
            if not is_kept:
                place.stack.close()

    @contextmanager
    def counted(self, number: int, place: _Place) -> Iterator[None]:
        """Count the ids of a task anew, and tell of them while the block runs."""
        place.tally = Tally()
        with self._lock:
            self._busy[number] = place
        try:
            yield
        finally:
            with self._lock:
                del self._busy[number]

    def _free(self, work: WorkAbroad[Any, Any]) -> _Place | None:
        """Take a free place; those of another share are closed, for others have what they had."""
        with self._lock:
            others = [place for place in self._idle if place.work != work]
            self._idle = [place for place in self._idle if place.work == work]
            found = self._idle.pop() if self._idle else None
        for place in others:
            place.stack.close()
        return found

    def _keep(self) -> None:
        """Wait for the end of the run, whichever way it comes, and close what is free."""
        while not self.over.wait(_LOOK_EVERY_S):
            if time.monotonic() - self._heard_at > FORSAKEN_AFTER_S:
                self.is_forsaken = True
                break
        self.stop.set()
        with _LOCK:
            _HELD.pop(self._run, None)
        with self._lock:
            self.over.set()
            idle, self._idle = self._idle, []
        for place in idle:
            place.stack.close()


class _ToRuns(logging.Handler):
    """Keeps log lines, masked, for the runs that this worker has something of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        text = self.format(record)
        for held in tuple(_HELD.values()):
            held.lines.append((record.levelno, held.masker.text(text)))


_LOCK: Final = Lock()
_HELD: Final[dict[str, _Held]] = {}
_STAGING: Final = Lock()
"""One batch is transformed at a time: that takes memory, and the processor time of one thread."""

_HANDLER: Final = _ToRuns(logging.INFO)


def _check_here(work: WorkAbroad[Any, Any]) -> None:
    """Look again, for this worker may have come after the others were looked at."""
    try:
        work.check()
    except EtlError as error:
        msg = f"Dask worker on {socket.gethostname()}, pid {os.getpid()}: {error}"
        raise type(error)(msg) from error


def _held(run: str) -> _Held:
    with _LOCK:
        held = _HELD.get(run)
        if held is None:
            _take_logs()
            held = _HELD[run] = _Held(run)
        return held


def _take_logs() -> None:
    if _HANDLER in LOGGER.handlers:
        return
    LOGGER.addHandler(_HANDLER)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False  # what the worker itself logs is not masked
    logging.getLogger("distributed.worker").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out that somebody has looked, which the worker would log each second."""
    return record.args != (look.__name__,)
