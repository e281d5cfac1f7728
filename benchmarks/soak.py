"""Many short runs against a sandbox with faults on, jobs that progress, and random kills; verifies after each.

    python benchmarks/soak.py --runs 1000

Every run fetches the same ids while the sandbox fails on purpose and lets jobs move on; one run in eight is killed with
SIGKILL at a random change on disk. After each the dataset must verify; at the end it must equal the sandbox's jobs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from benches import Bench
from commands import etl as command
from kills import killed_run

import etl
from etl.sandbox.faults import DEMO_FAULTS
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

_KILLED = 1 / 8
_STEPS = 120  # about as many changes on disk as a short run makes
_JOBS = 60


def main() -> None:
    """Run, kill, verify, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    chosen = random.Random(given.seed)  # noqa: S311 - chosen to be repeatable
    ended: Counter[str] = Counter()
    started = time.monotonic()
    settings = SandboxSettings(jobs=_JOBS, faults=DEMO_FAULTS)
    with tempfile.TemporaryDirectory() as folder, Sandbox(settings) as sandbox:
        ids = [id_of(number) for number in range(_JOBS)]
        bench = Bench(folder=Path(folder), documents=dict.fromkeys(ids), sandbox=sandbox)
        (bench.folder / "jobs.txt").write_text("\n".join(ids))
        for number in range(given.runs):
            if number % 10 == 9:
                sandbox.advance(limit=3)
            if chosen.random() < _KILLED:
                died = killed_run(bench.folder, sandbox, chosen.randrange(1, _STEPS))
                ended["killed" if died.returncode < 0 else "lived past its kill"] += 1
            else:
                run = bench.run("-q", "--batch-size", "20")
                assert run.code == 0, run.err
                ended["published" if json.loads(run.out)["snapshot"] else "unchanged"] += 1
            if (bench.output / "latest").exists():
                checked = command("verify", "--output", str(bench.output))
                assert checked.code == 0, f"run {number}: {checked.out}"
        assert bench.run("-q", "--refresh").code == 0
        jobs = etl.open_dataset(bench.output)["sync_jobs"]
        assert sorted(jobs["job_id"]) == sorted(ids)
        assert jobs["not_found_at"].isna().all()
    figures = ", ".join(f"{count:,} {name}" for name, count in sorted(ended.items()))
    print(f"{given.runs:,} runs, each verified: {figures}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
