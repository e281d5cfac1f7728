"""Kills runs with SIGKILL at seeded points over staging, publishing, the swap and pruning, and looks at what is left.

    python benchmarks/kills.py --kills 200

After each kill readers must see the state before or after, whole; the next run must end with the dataset of a run that
was never killed. Prints how many were survived; ends with 1 at the first that was not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from kills import Killing, documents_before, survive_all

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings


def main() -> None:
    """Try all points and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    documents = documents_before()
    seen: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Sandbox(SandboxSettings(documents=documents)) as sandbox:
        killing = Killing.prepare(Path(folder), sandbox, documents)
        points = killing.points(given.kills, given.seed)
        for _, state in survive_all(killing, points, Path(folder)):
            seen[state] += 1
    print(
        f"{seen.total()} kills survived of {len(points)}, over {killing.steps} changes on disk: readers saw the state "
        f"before {seen['before']} times and the state after {seen['after']} times; {time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
