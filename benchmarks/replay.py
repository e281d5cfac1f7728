"""Measures replaying dumps of different sizes: peak memory of all programs, and documents a second.

    python benchmarks/replay.py --documents 10000 100000

Each dump has a broken line in its middle, which must cost that line alone and be named by its number. Prints the peaks,
and that of the last dump, less 64 bytes a job, as a ratio to the first.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from measured import Cost, cost_of
from server import population_of

from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.identity import id_of
from etl.sandbox.settings import SEED

_INDEX_BYTES = 64  # that a run may need for each job


def write_dump(path: Path, documents: int) -> int:
    """Write so many jobs and a broken line; return the number of that line."""
    made = GeneratedJobs(SEED, documents, population_of(documents))
    broken = documents // 2
    with path.open("wb") as dump:
        for number in range(documents):
            if number == broken:
                dump.write(b'{"id": "cut off in the mid\n')
            body = made.body(id_of(number))
            assert body is not None
            dump.write(body + b"\n")
    return broken + 1


def replayed(dump: Path, output: Path) -> Cost:
    """Replay a dump into an empty folder; return what that cost."""
    replay = shlex.join([sys.executable, "-m", "etl", "replay", str(dump), "-q", "--output", str(output)])
    # The broken line makes it end with 3: published, but not all of it.
    return cost_of(["sh", "-c", f"{replay}; test $? = 3"], folder=dump.parent, env={})


def peak_of(documents: int, folder: Path) -> int:
    """Replay so many documents, print the figures, and return the peak of memory in bytes."""
    dump, output = folder / f"dump-{documents}.ndjson", folder / f"out-{documents}"
    broken = write_dump(dump, documents)
    cost = replayed(dump, output)
    (run,) = (output / "runs").iterdir()
    outcomes = pq.read_table(run / "outcomes.parquet", columns=["id", "outcome"]).to_pylist()
    rejected = [row["id"] for row in outcomes if row["outcome"] == "rejected"]
    assert rejected == [f"{dump}:{broken}"], rejected
    assert sum(row["outcome"] == "loaded" for row in outcomes) == documents
    size = dump.stat().st_size / 1e6
    dump.unlink()
    print(
        f"{documents:,} documents, {size:,.0f} MB: peak {cost.peak_bytes / 1e6:,.0f} MB, "
        f"{documents / cost.seconds:,.0f} documents/s, {1e6 * cost.cpu_s / documents:,.0f} µs of CPU each; "
        f"line {broken} rejected, {documents:,} loaded",
        flush=True,
    )
    return cost.peak_bytes


def main() -> None:
    """Measure each size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peaks = [peak_of(documents, Path(folder)) for documents in given.documents]
    first, last = given.documents[0], given.documents[-1]
    ratio = (peaks[-1] - _INDEX_BYTES * last) / peaks[0]
    print(f"{last:,} documents less {_INDEX_BYTES} bytes each, as a ratio to {first:,}: {ratio:.2f}")


if __name__ == "__main__":
    main()
