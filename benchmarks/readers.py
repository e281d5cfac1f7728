"""Reads a dataset 10,000 times while runs publish into it, and counts mixtures, which must not be.

python benchmarks/readers.py --reads 10000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from publishing import publish_under_readers


def main() -> None:
    """Publish until enough was read, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--readers", type=int, default=2)
    given = parser.parse_args()
    total = publishes = swaps = 0
    counted = {"plain": 0, "plain mixed": 0, "plain repeated": 0, "open_dataset": 0, "open_dataset mixed": 0}
    started = time.monotonic()
    while total < given.reads:
        with tempfile.TemporaryDirectory() as folder:
            swaps, seen = publish_under_readers(Path(folder), readers=given.readers, goes_on=lambda done: done < 200)
        publishes += swaps
        for name in counted:
            counted[name] += seen[name]
        total = counted["plain"] + counted["open_dataset"]
    print(
        f"{total:,} reads during {publishes:,} publishes: {counted['open_dataset']:,} by open_dataset, "
        f"{counted['open_dataset mixed']} mixed; {counted['plain']:,} plain, {counted['plain mixed']} mixed, "
        f"{counted['plain repeated']} to be repeated; {time.monotonic() - started:.0f} s"
    )
    if counted["plain mixed"] or counted["open_dataset mixed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
