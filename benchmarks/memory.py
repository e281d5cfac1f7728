"""Measures the peak memory of runs of different sizes against a sandbox in a program of its own.

    python benchmarks/memory.py --jobs 10000 100000

Prints the peak of each run, and of the last one, less 64 bytes a job, as a ratio to the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from etl.sandbox.demo import demo_jobs_text

_INDEX_BYTES = 64  # that a run may need for each job


def peak_of(jobs: int, folder: Path) -> tuple[int, float]:
    """Run for so many jobs; return the peak of its memory in bytes, and its seconds."""
    (folder / "jobs.txt").write_text(demo_jobs_text(jobs))
    serve = [sys.executable, "-m", "etl", "sandbox", "--port", "0", "--jobs", str(jobs)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        exports = [sandbox.stdout.readline().strip().removeprefix("export ").partition("=") for _ in range(2)]
        env = {**os.environ, **{name: value for name, _, value in exports}}
        command = [sys.executable, "-m", "etl", "run", "jobs.txt", "--json", "--output", str(folder / f"out-{jobs}")]
        with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            summary = json.loads(run.stdout.read())
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        sandbox.terminate()
    assert (run.returncode, summary["outcomes"]["loaded"]) == (0, jobs)
    return usage.ru_maxrss * 1024, summary["elapsed_s"]


def main() -> None:
    """Measure each size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10_000, 100_000])
    given = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for jobs in given.jobs:
            peaks[jobs], seconds = peak_of(jobs, Path(folder))
            print(f"{jobs:,} jobs: peak {peaks[jobs] / 1e6:,.0f} MB, {jobs / seconds:,.0f} jobs/s", flush=True)
    first, last = given.jobs[0], given.jobs[-1]
    ratio = (peaks[last] - _INDEX_BYTES * last) / peaks[first]
    print(f"{last:,} jobs less {_INDEX_BYTES} bytes each, as a ratio to {first:,}: {ratio:.2f}")


if __name__ == "__main__":
    main()
