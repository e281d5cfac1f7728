"""Measures the writing of tables as Parquet and CSV: the load's own writers against those of pandas, on the same rows.

    python benchmarks/writing.py --jobs 20000 --rounds 5

Ours are measured with all they do: hashing each file, flushing it to disk, and, in CSV, making formulas harmless.
Prints rows for docs/performance.md: medians, and the median of the ratios within a round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from measured import head, machine, median_ratio, row
from server import population_of

from etl.load.csv_form import write_csv
from etl.load.parquet import ParquetFile
from etl.load.storage import Storage
from etl.model import Document
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.identity import id_of
from etl.sandbox.settings import SEED
from etl.schema.arrow import arrow_schema
from etl.transform.tables import Transformed, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    import pyarrow as pa

_PARTS = ("Parquet", "CSV")


def rows_of(jobs: int) -> Transformed:
    """Return the tables of so many jobs."""
    made = GeneratedJobs(SEED, jobs, population_of(jobs))
    now = datetime.now(UTC)

    def documents() -> Iterator[Document]:
        for number in range(jobs):
            body = made.body(id_of(number))
            assert body is not None
            yield Document(raw=body, fetched_at=now, id=id_of(number))

    return transform(documents())


def _our_parquet(tables: Mapping[str, pa.Table], folder: Path) -> None:
    storage = Storage(folder)
    for name, table in tables.items():
        with ParquetFile(storage, folder / f"{name}.parquet", arrow_schema(name)) as file:
            file.write(table)
            file.close()


def _our_csv(tables: Mapping[str, pa.Table], folder: Path) -> None:
    storage = Storage(folder)
    for name, table in tables.items():
        write_csv(storage, folder / f"{name}.csv", name, [table], raw=False)


def _pandas_parquet(frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)


def _pandas_csv(frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)


def main() -> None:
    """Measure, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    made = rows_of(given.jobs)
    tables, frames = made.tables, made.frames()
    count = sum(table.num_rows for table in tables.values())
    ways: dict[tuple[str, str], Callable[[Path], None]] = {
        ("Parquet", "etl"): lambda folder: _our_parquet(tables, folder),
        ("Parquet", "pandas"): lambda folder: _pandas_parquet(frames, folder),
        ("CSV", "etl"): lambda folder: _our_csv(tables, folder),
        ("CSV", "pandas"): lambda folder: _pandas_csv(frames, folder),
    }
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    cpu_s: dict[tuple[str, str], list[float]] = defaultdict(list)
    size: dict[tuple[str, str], int] = {}
    for number in range(given.rounds):
        order = list(ways) if number % 2 else list(reversed(ways))
        for way in order:
            with tempfile.TemporaryDirectory() as name:
                started, cpu_started = time.perf_counter(), time.process_time()
                ways[way](Path(name))
                cpu_s[way].append(time.process_time() - cpu_started)
                seconds[way].append(time.perf_counter() - started)
                size[way] = sum(path.stat().st_size for path in Path(name).iterdir())
    print(f"{machine()}; median of {given.rounds} rounds; {count:,} rows of {given.jobs:,} jobs\n")
    print(head("writing", "rows/s", "times pandas", "in CPU", "CPU s", "MB written"))
    for part in _PARTS:
        theirs = (part, "pandas")
        for who in ("etl", "pandas"):
            way = (part, who)
            print(
                row(
                    f"{part}, {who}",
                    f"{count / statistics.median(seconds[way]):,.0f}",
                    f"{median_ratio(seconds[theirs], seconds[way]):.1f}",
                    f"{median_ratio(cpu_s[theirs], cpu_s[way]):.1f}",
                    f"{statistics.median(cpu_s[way]):.2f}",
                    f"{size[way] / 1e6:,.1f}",
                )
            )


if __name__ == "__main__":
    main()
