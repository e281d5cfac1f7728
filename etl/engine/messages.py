"""What a run and its worker programs say to each other, over a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


@dataclass(frozen=True, slots=True)
class Do:
    """To a worker: a task to be done, after those given before."""

    task: Any


@dataclass(frozen=True, slots=True)
class Halt:
    """To a worker: make no further request; tasks that are left are accounted for all the same."""


@dataclass(frozen=True, slots=True)
class NoMore:
    """To a worker: no task comes after those given."""


@dataclass(frozen=True, slots=True)
class Progress:
    """From a worker: answers and failures of its task with a position, counted from its first one."""

    position: int
    answers: int
    failures: int


@dataclass(frozen=True, slots=True)
class Done:
    """From a worker: the result of the oldest task that has none yet."""

    result: Any


@dataclass(frozen=True, slots=True)
class Logged:
    """From a worker: a log record, to be shown by the run, which masks it."""

    record: logging.LogRecord


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: the error that ended it."""

    error: BaseException
