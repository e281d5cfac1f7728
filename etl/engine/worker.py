"""A worker program: does the tasks that it is given, in order, and ends with the run that started it.

It holds no lock and renames nothing: what it leaves half-done is swept by whoever comes next.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from dataclasses import replace
from logging.handlers import QueueHandler
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from etl.engine.carried import picklable
from etl.engine.lean import without_pandas
from etl.engine.messages import Do, Done, Failed, Halt, Logged, NoMore, Progress
from etl.engine.work import Steps, Work, overlapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_REPORT_EVERY_S: Final = 0.2
_NOTHING_LEFT: Final = object()


def serve(pipe: Connection[Any, Any], work: Work[Any, Any], levels: dict[str, int]) -> None:
    """Do tasks until no more come.

    Args:
        pipe: to the run.
        work: what is done with each task.
        levels: of loggers, by name, as the run has them.
    """
    gc.freeze()  # what was loaded stays, and is not looked at again
    without_pandas()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach all programs of a terminal or a service; the run tells us
    say = _Mouth(pipe)
    _log_to(say, levels)
    stop, given = Event(), SimpleQueue[Any]()
    Thread(target=_listen, args=(pipe, stop, given), daemon=True, name="listen").start()
    tally = _Tally(say)
    try:
        with work.open(stop, tally.count) as steps:
            watched = replace(steps, fetch=_watched(steps, tally))
            for result in overlapped(watched, _tasks(given)):
                say(Done(result))
    except Exception as error:  # noqa: BLE001 - it is raised where the run is
        say(Failed(picklable(error)))


class _Mouth:
    """Sends messages, from any thread."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe
        self._lock = Lock()

    def __call__(self, message: object) -> None:
        with self._lock:
            self._pipe.send(message)


class _Tally:
    """Tells of progress now and then, not at every answer."""

    def __init__(self, say: _Mouth) -> None:
        self._say = say
        self._position = 0
        self._answers = self._failures = 0
        self._told = time.monotonic()

    def count(self, answers: int, failures: int) -> None:
        """Count answers of the task that is fetched now."""
        self._answers += answers
        self._failures += failures
        if self._failures or time.monotonic() - self._told >= _REPORT_EVERY_S:
            self._tell()

    def next_task(self) -> None:
        """Note that a task is fetched."""
        self._tell()
        self._position += 1

    def _tell(self) -> None:
        if self._answers:
            self._say(Progress(self._position, self._answers, self._failures))
        self._answers = self._failures = 0
        self._told = time.monotonic()


def _watched(steps: Steps[Any, Any], tally: _Tally) -> Any:  # noqa: ANN401 - a fetch step
    def fetch(task: Any) -> Any:  # noqa: ANN401 - any work's task
        fetched = steps.fetch(task)
        tally.next_task()
        return fetched

    return fetch


def _tasks(given: SimpleQueue[Any]) -> Iterator[Any]:
    while (task := given.get()) is not _NOTHING_LEFT:
        yield task


def _listen(pipe: Connection[Any, Any], stop: Event, given: SimpleQueue[Any]) -> None:
    try:
        while True:
            match pipe.recv():
                case Do(task):
                    given.put(task)
                case Halt():
                    stop.set()
                case NoMore():
                    given.put(_NOTHING_LEFT)
    except (EOFError, OSError):
        os._exit(0)  # the run has ended, or was killed: nobody wants what is done here


class _ToRun(QueueHandler):
    """Hands log records to the run: only there is a formatter that masks."""

    def __init__(self, say: _Mouth) -> None:
        super().__init__(SimpleQueue())
        self._say = say

    def enqueue(self, record: logging.LogRecord) -> None:
        self._say(Logged(record))


def _log_to(say: _Mouth, levels: dict[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers = [_ToRun(say)]
