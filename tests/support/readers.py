"""Readers in a loop while runs publish: what they see must be one state, never a mixture.

    python readers.py OUTPUT STOP

reads until the file STOP exists, and prints what happened as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pandas as pd

import etl

JOBS = 12
"""Jobs in the dataset that is read."""


def look(output: Path, seen: Counter[str]) -> None:
    """Read once in each way. Every publish writes its own number into all rows of all tables that are read here."""
    dataset = etl.open_dataset(output)
    numbers = set(dataset["sync_jobs"]["indexed_document_count"]) | set(
        dataset["connectors"]["language"].astype("int64")
    )
    seen["open_dataset"] += 1
    seen["open_dataset mixed"] += len(numbers) != 1
    for name, column in (("sync_jobs", "indexed_document_count"), ("connectors", "language")):
        for way, folder in (("plain", output / "latest" / name), ("resolved", (output / "latest").resolve() / name)):
            try:
                frame = pd.read_parquet(folder)
            except OSError:
                seen[f"{way} repeated"] += 1  # a file is missing: the read met a swap, and is to be repeated
                continue
            seen[way] += 1
            if len(frame) != JOBS:
                seen[f"{way} short"] += 1  # pyarrow leaves out a file that goes between listing and opening
            else:
                seen[f"{way} mixed"] += len(set(frame[column])) != 1


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    while not Path(sys.argv[2]).exists():
        look(Path(sys.argv[1]), counts)
    print(json.dumps(counts))  # noqa: T201 - the answer
