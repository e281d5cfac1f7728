"""Measures the peak memory of runs of different sizes, of all programs of a run together.

    python benchmarks/memory.py --jobs 10000 100000
    python benchmarks/memory.py --load --jobs 10000 100000

The first runs the main job against a sandbox in a program of its own. The second stages and publishes made-up rows
alone: for jobs over 24 months and all in one, the first publish and one where every job has changed. Prints the peaks,
and that of the last size, less 64 bytes a job, as a ratio to the first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loading import load
from measured import cost_of, head, machine, row
from rows import FETCHED, Jobs, months_before

from etl.sandbox.demo import demo_jobs_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_INDEX_BYTES = 64  # that a run may need for each job


def run_peak(jobs: int, folder: Path) -> tuple[int, float]:
    """Run for so many jobs; return the peak of the memory of all its programs in bytes, and its seconds."""
    (folder / "jobs.txt").write_text(demo_jobs_text(jobs))
    serve = [sys.executable, "-m", "etl", "sandbox", "--port", "0", "--jobs", str(jobs)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        exports = [sandbox.stdout.readline().strip().removeprefix("export ").partition("=") for _ in range(2)]
        env = {name: value for name, _, value in exports}
        command = [sys.executable, "-m", "etl", "run", "jobs.txt", "--json", "--output", str(folder / f"out-{jobs}")]
        cost = cost_of(command, folder=folder, env=env)
        sandbox.terminate()
    assert json.loads(cost.out)["outcomes"]["loaded"] == jobs
    return cost.peak_bytes, cost.seconds


def load_peaks(jobs: int, months: int, folder: Path) -> tuple[int, int]:
    """Publish so many jobs of so many months, then all of them changed; return both peaks in bytes."""
    root = folder / f"out-{jobs}-{months}"
    every = Jobs(numbers=range(jobs), months=months_before(months))
    changed = Jobs(numbers=range(jobs), months=every.months, version=1, fetched=FETCHED + timedelta(minutes=1))
    first, second = load(root, 0, every), load(root, 1, changed)
    assert first.published
    assert second.published
    return first.peak_bytes, second.peak_bytes


def ratio(sizes: Sequence[int], peaks: Sequence[int]) -> str:
    """Return the peak of the last size, less what the index may take, as a ratio to that of the first."""
    return f"{(peaks[-1] - _INDEX_BYTES * sizes[-1]) / peaks[0]:.2f}"


def main() -> None:
    """Measure each size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--load", action="store_true", help="stage and publish made-up rows alone")
    given = parser.parse_args()
    sizes: list[int] = given.jobs
    print(machine())
    print(head("peak MB", *(f"{jobs:,} jobs" for jobs in sizes), "ratio"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not given.load:
            peaks = [run_peak(jobs, folder)[0] for jobs in sizes]
            print(row("run", *(f"{peak / 1e6:.0f}" for peak in peaks), ratio(sizes, peaks)))
            return
        for months in (24, 1):
            pairs = [load_peaks(jobs, months, folder) for jobs in sizes]
            for what, peaks in zip(("all new", "all changed"), map(list, zip(*pairs, strict=True)), strict=True):
                cells = [f"{peak / 1e6:.0f}" for peak in peaks]
                print(row(f"{what}, months: {months}", *cells, ratio(sizes, peaks)), flush=True)


if __name__ == "__main__":
    main()
