"""What a program costs: its time, and the processor time and memory of it and all programs that it starts."""

from __future__ import annotations

import ctypes
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LOOK_EVERY_S = 0.05
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one program cost.

    Attributes:
        seconds: from its start to its end.
        cpu_s: seconds of processor time, of all programs together.
        own_cpu_s: of these, those of the program itself, and of programs that it waited for.
        peak_bytes: of memory, at the worst moment seen: what each program has for itself, its part of what programs
            share since one was forked from the other, and once what the one with the most has mapped from files, for
            they map the same libraries.
        out: what it printed.
    """

    seconds: float
    cpu_s: float
    own_cpu_s: float
    peak_bytes: int
    out: str


def cost_of(command: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> Cost:
    """Run a program in a folder, with these variables beside those of the environment.

    Raises:
        RuntimeError: it ended with an error.
    """
    _adopt_orphans()
    over = threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, env={**os.environ, **env}, stdout=out, stderr=err) as program:
            watch = _Watch(program.pid, over)
            watch.start()
            _, status, usage = os.wait4(program.pid, 0)
            seconds = time.perf_counter() - started
            over.set()
            watch.join()
            cpu_s = sum(_waited_for(pid) for pid in watch.seen if pid != program.pid)
            program.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if program.returncode:
            msg = f"{' '.join(command)}: ended with {program.returncode}\n{out.read()}\n{err.read()}"
            raise RuntimeError(msg)
        own = usage.ru_utime + usage.ru_stime
        return Cost(seconds=seconds, cpu_s=cpu_s + own, own_cpu_s=own, peak_bytes=watch.peak, out=out.read())


def _adopt_orphans() -> None:
    """Become the parent of programs whose own parent ends before them, so that their processor time is seen."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _waited_for(pid: int) -> float:
    """Return the processor time of a program that ended after its parent; 0 for all others."""
    try:
        _, _, usage = os.wait4(pid, 0)
    except ChildProcessError:
        return 0.0
    return usage.ru_utime + usage.ru_stime


class _Watch(threading.Thread):
    """Looks at the memory of a program and of those that it started, again and again."""

    def __init__(self, pid: int, over: threading.Event) -> None:
        super().__init__()
        self.peak = 0
        self.seen: set[int] = set()
        self._pid = pid
        self._over = over

    def run(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            pids = _tree(self._pid)
            self.seen.update(pids)
            parts = [_memory_of(pid) for pid in pids]
            own = sum(part[0] for part in parts)
            self.peak = max(self.peak, own + max((part[1] for part in parts), default=0))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in _listed(Path(f"/proc/{one}/task")):
            found += [int(child) for child in _text(task / "children").split()]
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it has ended
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def _memory_of(pid: int) -> tuple[int, int]:
    """Return bytes that a program has for itself, with its part of what it shares, and those mapped from files."""
    own = _kilobytes(f"/proc/{pid}/smaps_rollup", "Pss_Anon", "Pss_Shmem")
    return own * 1024, _kilobytes(f"/proc/{pid}/status", "RssFile") * 1024


def _kilobytes(path: str, *names: str) -> int:
    pairs = (line.split(":") for line in _text(Path(path)).splitlines()[1:])
    return sum(int(pair[1].split()[0]) for pair in pairs if pair[0] in names)


def median_ratio(these: Iterable[float], those: Iterable[float]) -> float:
    """Return the median of the ratios of figures that belong together, such as of the rounds of two contenders."""
    return statistics.median(one / other for one, other in zip(these, those, strict=True))


def machine() -> str:
    """Name the day, the machine, and the Python."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores ({_processor()}), Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    names = [
        line.partition(":")[2].strip() for line in _text(Path("/proc/cpuinfo")).splitlines() if "model name" in line
    ]
    return names[0] if names else platform.machine()


def row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head(*cells: str) -> str:
    """Return the head of a Markdown table; all columns but the first are numbers."""
    return f"{row(*cells)}\n{row('---', *('---:' for _ in cells[1:]))}"
