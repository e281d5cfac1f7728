"""Measures what a whole history costs at growing sizes: time, processor time, memory, requests, files and bytes.

    python benchmarks/scale.py --jobs 10000 100000 1000000

For each size a run with `--strategy mget` against a sandbox in a program of its own, which takes processor time beside
it, and a replay of the same documents from a file. Prints rows for docs/scale.md; processor time and memory are those
of all programs of the run together, and beside that the time of the run's own program, which no worker can do for it.
A million jobs take some fifteen minutes and 8 GB of the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measured import Cost, cost_of, head, machine, row
from replay import replayed, write_dump

from etl.load.reader import published_snapshot
from etl.sandbox.demo import demo_jobs_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = (
    "jobs",
    "s",
    "jobs/s",
    "CPU µs a job",
    "of the run itself",
    "peak MB",
    "requests",
    "fetch s",
    "plan s",
    "build s",
    "files",
    "B a job",
)


def fetched(jobs: int, folder: Path) -> tuple[Cost, Path]:
    """Fetch so many jobs by `--strategy mget`; return what it cost, and the output."""
    listed, output = folder / "jobs.txt", folder / f"mget-{jobs}"
    listed.write_text(demo_jobs_text(jobs))
    serve = [sys.executable, "-m", "etl", "sandbox", "--port", "0", "--jobs", str(jobs)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        exports = [sandbox.stdout.readline().strip().removeprefix("export ").partition("=") for _ in range(2)]
        env = {name: value for name, _, value in exports}
        arguments = ["run", str(listed), "--strategy", "mget", "--json", "-q", "--output", str(output)]
        cost = cost_of([sys.executable, "-m", "etl", *arguments], folder=folder, env=env)
        sandbox.terminate()
    assert json.loads(cost.out)["outcomes"]["loaded"] == jobs
    return cost, output


def printed(way: str, jobs: int, cost: Cost, output: Path) -> None:
    """Print a row."""
    (run,) = (output / "runs").iterdir()
    record: Mapping[str, Any] = json.loads((run / "_manifest.json").read_text())
    snapshot = published_snapshot(output)
    assert snapshot.rows("sync_jobs") == jobs
    timings = record["timings"]
    files = sum(len(snapshot.entries(name)) for name in snapshot.manifest.tables)
    cells = [
        f"{jobs:,}",
        f"{cost.seconds:,.1f}",
        f"{jobs / cost.seconds:,.0f}",
        f"{cost.cpu_s / jobs * 1e6:,.0f}",
        f"{cost.own_cpu_s / jobs * 1e6:,.0f}",
        f"{cost.peak_bytes / 1e6:,.0f}",
        f"{record['counts'].get('requests', 0):,}",
        *(f"{timings[stage]:,.1f}" for stage in ("fetch", "plan", "build")),
        f"{files:,}",
        f"{snapshot.bytes / jobs:,.0f}",
    ]
    print(row(way, *cells), flush=True)


def main() -> None:
    """Measure each size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    given = parser.parse_args()
    print(machine())
    print(head("way", *_COLUMNS))
    for jobs in given.jobs:
        with tempfile.TemporaryDirectory(prefix="etl-scale-") as name:
            folder = Path(name)
            cost, output = fetched(jobs, folder)
            printed("mget", jobs, cost, output)
        with tempfile.TemporaryDirectory(prefix="etl-scale-") as name:
            folder = Path(name)
            dump, output = folder / "dump.ndjson", folder / "replay"
            write_dump(dump, jobs)
            printed("replay", jobs, replayed(dump, output), output)


if __name__ == "__main__":
    main()
