"""A Dask cluster of real programs on loopback: a scheduler, and workers that see an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from threading import Event

_PATIENCE_S = 120.0  # only a test that fails waits as long
_SUPPORT = Path(__file__).parent
_DASK = str(Path(sys.executable).with_name("dask"))
_HEARD = ("ELASTICSEARCH_", "ES_", "ETL_", "DASK_")
_QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__INTERVAL": "10s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "PYTHONPATH": os.pathsep.join([str(_SUPPORT.parents[1]), str(_SUPPORT)]),
}


@dataclass(kw_only=True)
class Cluster:
    """A scheduler and its workers.

    Attributes:
        folder: for what they leave.
        address: of the scheduler.
        scheduler: its program.
        workers: their programs.
    """

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start the scheduler."""
        self.scheduler = self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", env={}
        )  # fmt: skip
        self.address = f"tcp://127.0.0.1:{self._port_of('Scheduler at:', 'scheduler')}"

    def work(self, *, threads: int = 1, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker with an environment of its own, and wait until it has registered."""
        name = f"worker-{len(self.workers)}"
        worker = self._start(
            name, "worker", self.address, "--host", "127.0.0.1", "--nthreads", str(threads), "--no-nanny",
            "--no-dashboard", "--local-directory", str(self.folder), "--death-timeout", "60", env=env or {},
        )  # fmt: skip
        self.workers.append(worker)
        self._wait(name, "Registered to:")
        return worker

    def keep(self, workers: int) -> None:
        """Start as many workers as are needed for so many to live."""
        for _ in range(workers - sum(worker.poll() is None for worker in self.workers)):
            self.work()

    def logs(self) -> str:
        """Return all that they have printed."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.folder.glob("*.log")))

    def end(self) -> None:
        """End all of them."""
        programs = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()

    def _start(self, name: str, *arguments: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_HEARD)}
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [_DASK, *arguments], env={**kept, **_QUIET, **env}, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.folder,
            )  # fmt: skip

    def _wait(self, name: str, words: str) -> str:
        path = self.folder / f"{name}.log"
        ends = time.monotonic() + _PATIENCE_S
        while words not in (text := path.read_text("utf-8", "replace")):
            assert time.monotonic() < ends, text
            time.sleep(0.02)
        return text

    def _port_of(self, words: str, name: str) -> str:
        line = next(line for line in self._wait(name, words).splitlines() if words in line)
        return line.rpartition(":")[2].strip()


@contextmanager
def cluster(
    folder: Path, *, workers: int = 2, threads: int = 1, env: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Give a cluster while the block runs."""
    made = Cluster(folder=folder)
    try:
        made.start()
        for _ in range(workers):
            made.work(threads=threads, env=env)
        yield made
    finally:
        made.end()


class Engine(Protocol):
    """Whatever runs work."""

    def run(self, work: Any, tasks: Iterable[Any]) -> Generator[Any, None, None]: ...


class MakeEngine(Protocol):
    """Makes an engine on which two tasks are done at once."""

    def __call__(self, stop: Event, watch: Callable[[int, int], None]) -> Engine: ...
