"""Runs the main job while nearly half of all requests go wrong, and accounts for every id.

    python benchmarks/faults.py --jobs 5000

Once with faults that pass, once with 3% of the ids failing for good, with the waits of every run. Prints the figures;
ends with 1 where an id is lost, doubled or told otherwise than it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from faulty_runs import run_through_faults

HOPELESS = 0.03


def main() -> None:
    """Run both and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=32)
    given = parser.parse_args()
    problems: list[str] = []
    for hopeless in (0.0, HOPELESS):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            run = run_through_faults(
                Path(folder), given.jobs, hopeless=hopeless, seed=given.seed, concurrency=given.concurrency
            )
        problems += run.problems()
        outcomes = {name: count for name, count in run.ended.summary["outcomes"].items() if count}
        print(
            f"{len(run.asked):,} ids, {sum(run.requests.values()):,} requests: exit {run.ended.code}, {outcomes}, "
            f"{len(run.published):,} published, {len(run.failed):,} in failed.txt; {time.monotonic() - started:.0f} s"
        )
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
