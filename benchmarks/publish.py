"""Measures what it costs to publish a small change into a large dataset, as a ratio to publishing all of it.

    python benchmarks/publish.py --jobs 1000000 --changed 1000

The dataset has jobs of 24 months; the changed ones are of the newest two, and differ in a counter. A program of its own
stages them, as in a run; what is measured is the one that opens the dataset, compares and publishes. `publish` alone
is what the ratio is about; that with the opening, where the index of all jobs is read, stands beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loading import load
from measured import head, machine, row
from rows import FETCHED, Jobs, months_before

if TYPE_CHECKING:
    from loading import Loading

_MONTHS = 24
_STEPS = ("open", "plan", "publish")


def main() -> None:
    """Publish all, then a few that changed, then the same ones again, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--changed", type=int, default=1_000)
    given = parser.parse_args()
    months = months_before(_MONTHS)
    every = Jobs(numbers=range(given.jobs), months=months)
    newest = [number for number in range(given.jobs) if number % _MONTHS >= _MONTHS - 2][: given.changed]
    changed = replace(every, numbers=newest, version=1, fetched=FETCHED + timedelta(minutes=30))
    same = replace(changed, fetched=FETCHED + timedelta(minutes=40))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "output"
        runs = {f"all {given.jobs:,}": every, f"{given.changed:,} changed": changed, f"{given.changed:,} equal": same}
        done: dict[str, Loading] = {}
        print(machine())
        print(head("jobs", *(f"{step}, CPU s" for step in _STEPS), "wall s", "peak MB"))
        for serial, (name, jobs) in enumerate(runs.items()):
            done[name] = one = load(root, serial, jobs)
            cells = [f"{one.cpu_s[step]:.2f}" for step in _STEPS]
            print(row(name, *cells, f"{sum(one.wall_s.values()):.1f}", f"{one.peak_bytes / 1e6:.0f}"), flush=True)
    first, second, third = done.values()
    assert (first.published, second.published, third.published) == (True, True, False)
    for name, steps in (("plan and publish", _STEPS[1:]), ("with the opening", _STEPS)):
        ratio = sum(second.cpu_s[step] for step in steps) / sum(first.cpu_s[step] for step in steps)
        print(f"{given.changed:,} changed as a ratio to all {given.jobs:,}, {name}: {ratio:.1%}")


if __name__ == "__main__":
    main()
