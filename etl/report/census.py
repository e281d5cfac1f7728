"""The first look at the jobs: which connectors, types, statuses and errors there are, and which deserve a place."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl.report.bins import FINEST, quantile
from etl.report.columns import COLUMNS, derived
from etl.report.sums import Sums
from etl.report.texts import normalized
from etl.schema.tables import FINAL_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from etl.dataset.chosen import ChosenJobs

MOST_CONNECTORS = 60
"""Connectors that are shown by name; the others are shown together."""

MOST_ERRORS = 40
"""Kinds of errors that are shown."""

_MOST_TYPES = 12
_MOST_KINDS = 20_000  # kinds of errors that are counted at once; the rarest of more are counted together
_ORDER = ("completed", "error", "canceled", "in_progress", "canceling", "pending", "suspended")


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """What there is.

    Attributes:
        jobs: their number.
        undated: jobs without a time of creation.
        gone: jobs that the cluster no longer has.
        oldest: first time of creation; None where no job has one.
        newest: last time of creation.
        newest_status: of the job created last.
        connectors: ids that are shown by name, most jobs first; None is that of jobs without one.
        others: number of further connectors.
        types: job types, most jobs first, None for jobs without one.
        statuses: in the order of a job's life, None for jobs without one.
        newest_jobs: ids of the newest job of each connector, also of those that are not shown, by month.
        unfinished: ids of jobs that may still change.
        errors: kinds of errors that are shown, the most frequent first.
        other_errors: number of jobs whose error is of another kind.
    """

    jobs: int
    undated: int
    gone: int
    oldest: datetime | None
    newest: datetime | None
    newest_status: str | None
    connectors: tuple[str | None, ...]
    others: int
    types: tuple[str | None, ...]
    statuses: tuple[str | None, ...]
    newest_jobs: dict[str | None, pa.Array]
    unfinished: pa.Array
    errors: tuple[str, ...]
    other_errors: int


@dataclass
class _Counts:
    jobs: int = 0
    undated: int = 0
    gone: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    newest_status: str | None = None
    newest_jobs: dict[str | None, tuple[str | None, str]] = field(default_factory=dict)
    types: Counter[str | None] = field(default_factory=Counter)
    statuses: Counter[str | None] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    rare: int = 0
    unfinished: list[pa.Array] = field(default_factory=lambda: [pa.array([], pa.string())])
    by_status: Sums = field(default_factory=lambda: Sums(["connector_id", "status"], ["one"]))
    by_duration: Sums = field(default_factory=lambda: Sums(["connector_id", "duration"], ["one"]))


def census(chosen: ChosenJobs, advance: Callable[[int], None]) -> Census:
    """Look at all jobs once.

    Memory grows with connectors and unfinished jobs, and with kinds of errors up to a limit.

    Args:
        chosen: the dataset.
        advance: told of jobs that are done, wanted or not.

    Raises:
        OutputError: a file cannot be read.
    """
    counts = _Counts()
    for month in chosen.months_undated_first():
        for jobs, rows in chosen.chunks("sync_jobs", month, COLUMNS):
            if jobs.num_rows:
                _count(counts, jobs, month)
            advance(rows)
    shown, others = _shown(counts)
    top = counts.kinds.most_common(MOST_ERRORS)
    return Census(
        jobs=counts.jobs,
        undated=counts.undated,
        gone=counts.gone,
        oldest=counts.oldest,
        newest=counts.newest,
        newest_status=counts.newest_status,
        connectors=shown,
        others=others,
        types=tuple(name for name, _ in counts.types.most_common(_MOST_TYPES)),
        statuses=_in_order(counts.statuses),
        newest_jobs=_by_month(counts.newest_jobs.values()),
        unfinished=pa.concat_arrays(counts.unfinished),
        errors=tuple(kind for kind, _ in top),
        other_errors=counts.kinds.total() + counts.rare - sum(number for _, number in top),
    )


def kinds_of(errors: pa.ChunkedArray) -> dict[str, str]:
    """Return the kind of each text, nulls left out."""
    return {text: normalized(text) for text in pc.unique(errors).to_pylist() if text is not None}


def _count(counts: _Counts, jobs: pa.Table, month: str | None) -> None:
    counts.jobs += jobs.num_rows
    counts.undated += jobs["created_at"].null_count
    counts.gone += jobs.num_rows - jobs["not_found_at"].null_count
    ends = pc.min_max(jobs["created_at"]).as_py()
    if ends["min"] is not None:
        counts.oldest = ends["min"] if counts.oldest is None else min(counts.oldest, ends["min"])
        if counts.newest is None or ends["max"] >= counts.newest:
            counts.newest = ends["max"]
            counts.newest_status = jobs["status"][-1].as_py()  # rows stand in the order of created_at
    # Rows stand in the order of (created_at, job_id): the last of a connector is its newest.
    last = jobs.select(["connector_id", "job_id"]).group_by("connector_id", use_threads=False)
    latest = last.aggregate([("job_id", "last")])
    for row in latest.to_pylist():
        counts.newest_jobs[row["connector_id"]] = month, row["job_id_last"]
    for counter, name in ((counts.types, "job_type"), (counts.statuses, "status")):
        counter.update({pair["values"]: pair["counts"] for pair in pc.value_counts(jobs[name]).to_pylist()})
    is_final = pc.is_in(jobs["status"], value_set=pa.array(FINAL_STATUSES, pa.string()))
    counts.unfinished += jobs["job_id"].filter(pc.invert(is_final)).chunks
    rows = derived(jobs)
    counts.by_status.add(rows)
    counts.by_duration.add(rows.filter(pc.is_valid(rows["duration"])))
    _count_errors(counts, jobs["error"])


def _count_errors(counts: _Counts, errors: pa.ChunkedArray) -> None:
    kinds = kinds_of(errors)
    for pair in pc.value_counts(pc.drop_null(errors)).to_pylist():
        counts.kinds[kinds[pair["values"]]] += pair["counts"]
    if len(counts.kinds) > _MOST_KINDS:
        kept = Counter(dict(counts.kinds.most_common(_MOST_KINDS // 2)))
        counts.rare += counts.kinds.total() - kept.total()
        counts.kinds = kept


def _shown(counts: _Counts) -> tuple[tuple[str | None, ...], int]:
    """Choose the connectors with the most jobs, failures, failures a job, and the longest durations."""
    jobs: Counter[str | None] = Counter()
    failed: Counter[str | None] = Counter()
    by_status = counts.by_status.table()
    for row in by_status.to_pylist() if by_status is not None else ():
        jobs[row["connector_id"]] += row["one"]
        if row["status"] == "error":
            failed[row["connector_id"]] += row["one"]
    bins: defaultdict[str | None, dict[int, int]] = defaultdict(dict)
    by_duration = counts.by_duration.table()
    for row in by_duration.to_pylist() if by_duration is not None else ():
        bins[row["connector_id"]][row["duration"]] = row["one"]
    median = {connector: quantile(found, 0.5, FINEST) or 0.0 for connector, found in bins.items()}
    slow = {connector: quantile(found, 0.95, FINEST) or 0.0 for connector, found in bins.items()}
    rate = {connector: number / jobs[connector] for connector, number in failed.items()}
    rankings = [
        sorted(ranking, key=lambda connector, ranking=ranking: (-ranking[connector], connector or ""))
        for ranking in (jobs, failed, rate, median, slow)
    ]
    chosen: dict[str | None, None] = {}
    for place in range(len(jobs)):
        for connector in (ranking[place] for ranking in rankings if place < len(ranking)):
            if len(chosen) < MOST_CONNECTORS:
                chosen[connector] = None
    shown = sorted(chosen, key=lambda connector: (-jobs[connector], connector or ""))
    return tuple(shown), len(jobs) - len(shown)


def _by_month(newest_jobs: Iterable[tuple[str | None, str]]) -> dict[str | None, pa.Array]:
    months: defaultdict[str | None, list[str]] = defaultdict(list)
    for month, job_id in newest_jobs:
        months[month].append(job_id)
    return {month: pa.array(ids, pa.string()) for month, ids in months.items()}


def _in_order(statuses: Counter[str | None]) -> tuple[str | None, ...]:
    known = [name for name in _ORDER if name in statuses]
    return (*known, *(name for name, _ in statuses.most_common(_MOST_TYPES) if name not in _ORDER))
