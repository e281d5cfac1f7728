"""Reads a dataset 10,000 times while runs publish into it, and counts mixtures, which must not be.

python benchmarks/readers.py --reads 10000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
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
    counted: Counter[str] = Counter()
    started = time.monotonic()
    while total < given.reads:
        with tempfile.TemporaryDirectory() as folder:
            swaps, seen = publish_under_readers(Path(folder), readers=given.readers, goes_on=lambda done: done < 200)
        publishes += swaps
        counted += seen
        total = counted["plain"] + counted["resolved"] + counted["open_dataset"]
    print(f"{total:,} reads during {publishes:,} publishes, {time.monotonic() - started:.0f} s")
    for way in ("open_dataset", "resolved", "plain"):
        print(
            f"  {way:<12} {counted[way]:>6,} reads: {counted[f'{way} mixed']} mixed, {counted[f'{way} short']} short, "
            f"{counted[f'{way} repeated']} to be repeated"
        )
    if any(counted[name] for name in counted if name.endswith("mixed") or name == "resolved short"):
        sys.exit(1)


if __name__ == "__main__":
    main()
