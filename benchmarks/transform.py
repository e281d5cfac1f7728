"""The transformation against `pandas.json_normalize`, in turn, on one core: `python benchmarks/transform.py`.

json_normalize flattens the same documents, once decoded from the same bytes, to one table of objects and no types; the
transformation gives all tables in exact types, with redaction and field issues. Both are measured in processor time.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from measured import head, machine, median_ratio, row

from etl.model import Document
from etl.sandbox.generate import generate_job
from etl.transform.fast import fast_path
from etl.transform.tables import transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SEED = 7
_BATCH = 2_000
_FETCHED_AT = datetime(2026, 11, 24, tzinfo=UTC)


def _generated(numbers: range, *, quirks: bool) -> Iterator[dict[str, Any]]:
    for number in numbers:
        yield generate_job(_SEED, number, added=None if quirks else number)


def of_a_cluster(numbers: range) -> Iterator[dict[str, Any]]:
    """Make jobs of a few dozens of connectors, whose filtering is edited now and then, not with every job."""
    filterings: dict[str, Any] = {}
    for document in _generated(numbers, quirks=False):
        connector = document.get("connector", {})
        if "filtering" in connector:
            connector["filtering"] = filterings.setdefault(connector["id"], connector["filtering"])
        yield document


def all_different(numbers: range) -> Iterator[dict[str, Any]]:
    """Make jobs that share no configuration, no text in one, and no filtering."""
    for number, document in zip(numbers, _generated(numbers, quirks=False), strict=True):
        for entry in document.get("connector", document).get("configuration", {}).values():
            if isinstance(entry, dict) and isinstance(entry.get("value"), str):
                entry["value"] += f"-{number}"
        yield document


def with_quirks(numbers: range) -> Iterator[dict[str, Any]]:
    """Make jobs of all writers since 8.5, one in eight with an oddity: unknown members, wrong types, odd times."""
    return _generated(numbers, quirks=True)


_KINDS: dict[str, Callable[[range], Iterator[dict[str, Any]]]] = {
    "as a cluster has them": of_a_cluster,
    "every configuration differs": all_different,
    "with quirks": with_quirks,
}


def _documents(kind: str, numbers: range) -> list[Document]:
    texts = (json.dumps(job, separators=(",", ":"), ensure_ascii=False) for job in _KINDS[kind](numbers))
    return [Document(raw=text.encode(), fetched_at=_FETCHED_AT) for text in texts]


def _normalize(documents: Sequence[Document]) -> None:
    frame = pd.json_normalize([json.loads(document.raw) for document in documents])
    assert len(frame) == len(documents)


def _transform(documents: Sequence[Document]) -> None:
    assert transform(documents).tables["sync_jobs"].num_rows == len(documents)


def _cpu_s(work: Callable[[Sequence[Document]], None], documents: Sequence[Document]) -> float:
    before = time.process_time()
    work(documents)
    return time.process_time() - before


def _measure(kind: str, rounds: int) -> str:
    """Measure in rounds over documents that were not seen before, after one batch of others; return a row."""
    ours: list[float] = []
    theirs: list[float] = []
    size = 0
    for number in range(rounds + 1):
        documents = _documents(kind, range(number * _BATCH, (number + 1) * _BATCH))
        turns: list[tuple[Callable[[Sequence[Document]], None], list[float]]] = [
            (_transform, ours),
            (_normalize, theirs),
        ]
        for work, costs in turns if number % 2 else reversed(turns):
            cost = _cpu_s(work, documents)
            if number:
                costs.append(cost)
        size += sum(len(document.raw) for document in documents)
    per_second = [f"{_BATCH / statistics.median(costs):,.0f}" for costs in (theirs, ours)]
    ratio = median_ratio(theirs, ours)
    return row(kind, f"{size / _BATCH / (rounds + 1) / 1000:.1f}", *per_second, f"{ratio:.1f}")


def _profile(kind: str) -> None:
    transform(_documents(kind, range(_BATCH)))
    documents = _documents(kind, range(_BATCH, 2 * _BATCH))
    with cProfile.Profile() as profile:
        transform(documents)
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def main() -> None:
    """Print a table, or a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", choices=sorted(_KINDS), help="show where the time goes instead")
    arguments = parser.parse_args()
    if arguments.profile:
        _profile(arguments.profile)
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{machine()}\n")
    print(head("documents", "kB each", "json_normalize, jobs/s", "transform, jobs/s", "times"))
    for kind in _KINDS:
        fast_path.cache_clear()
        print(_measure(kind, arguments.rounds))


if __name__ == "__main__":
    main()
