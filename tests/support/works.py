"""Works that a worker program can import: what tests of the engine let it do."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etl.engine.work import Steps
from etl.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event


@dataclass(frozen=True, kw_only=True)
class Job:
    """A task: a number, what happens while it is fetched, and how often it was given out before."""

    number: int
    deed: str = ""
    repeats: int = 0


class Taken:
    """Jobs with numbers from 0, and how many of them were taken."""

    def __init__(self, size: int) -> None:
        self.taken = 0
        self._size = size

    def __iter__(self) -> Iterator[Job]:
        for number in range(self._size):
            self.taken += 1
            yield Job(number=number)


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Squares numbers, and does what the task says on the way.

    Attributes:
        folder: for marks that outlive a worker.
        shares: how many works at once share what is bounded.
        problem: why no other machine can do it.
    """

    folder: Path
    shares: int = 1
    problem: str = ""

    @contextmanager
    def open(self, stop: Event, watch: Callable[[int, int], None]) -> Iterator[Steps[Job, tuple[int, int, bool]]]:
        """See `etl.engine.work.Work`."""

        def fetch(job: Job) -> int:
            watch(1, job.number % 2)
            self._do(job, stop)
            return job.number**2

        def stage(job: Job, square: int) -> tuple[int, int, bool]:
            return job.number, square, stop.is_set()

        yield Steps(fetch=fetch, stage=stage)

    def again(self, task: Job) -> Job:
        """See there."""
        return replace(task, repeats=task.repeats + 1)

    def abroad(self, shares: int) -> Squares:
        """See `etl.engine.work.PortableWork`."""
        return replace(self, shares=shares)

    def check(self) -> None:
        """See `etl.engine.work.WorkAbroad`."""
        if self.problem:
            raise UsageError(self.problem)

    def secrets(self) -> tuple[str, ...]:
        """See there."""
        return ("hunter2hunter2",)

    def _do(self, job: Job, stop: Event) -> None:
        match job.deed:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die once" if not job.repeats:
                (self.folder / f"died-{job.number}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "die first" if not (mark := self.folder / f"died-{job.number}").exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "fail":
                msg = "the disk is full"
                raise OutputError(msg)
            case "leak":
                msg = "it was hunter2hunter2"
                raise ValueError(msg)
            case "break":
                raise Odd(part=job.number)
            case "log":
                logging.getLogger("etl").warning("number %d, password=hunter2hunter2", job.number)
            case "wait":
                stop.wait()
            case "stay":
                (self.folder / f"worker-{os.getpid()}").touch()
                time.sleep(600)


class Watched:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.answers = self.failures = 0

    def __call__(self, answers: int, failures: int) -> None:
        """See `etl.engine.work.Work`."""
        self.answers += answers
        self.failures += failures


class Odd(Exception):  # noqa: N818 - what it is called does not matter
    """An error that cannot be unpickled."""

    def __init__(self, *, part: int) -> None:
        super().__init__(f"part {part}")


if __name__ == "__main__":  # a run that stays until it is killed
    from threading import Event as Stop

    from etl.engine.local import LocalEngine

    stays = [Job(number=number, deed="stay") for number in range(4)]
    engine = LocalEngine(Stop(), lambda *_: None, workers=2)
    for _ in engine.run(Squares(folder=Path(sys.argv[1])), stays):
        pass
