"""All figures of a report, gathered month by month in memory that does not grow with the jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.dataset.chosen import ChosenJobs
from etl.dataset.overview import records_or_notes
from etl.load.layout import Layout
from etl.model import Outcome
from etl.report.census import Census, census
from etl.report.columns import COLUMNS, derived
from etl.report.cube import Axes, Cube
from etl.report.drift import Change, Drift
from etl.report.failures import Failures
from etl.report.in_force import InForce, in_force
from etl.report.quality import Quality, quality
from etl.report.suspicious import Reason, Suspicious

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from etl.extract.filters import JobFilters
    from etl.load.manifest import RunManifest

# Together with the page itself, and plotly's 4.8 MB, below 6 MB.
_TOTAL_BYTES = 300_000
_PARTS_BYTES = 420_000
_FAILURES_BYTES = 80_000

_SHOWN_RUNS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What the page shows.

    Attributes:
        source: the cluster.
        snapshot: run id of the state.
        published_at: when that state was built (UTC).
        filters: which jobs are wanted.
        census: what there is.
        total: cells over all connectors, as JSON values; see `Cube.within`.
        parts: cells by connector.
        failures: kinds of errors and their cells; see `Failures.within`.
        reasons: to look at jobs.
        in_force: rules and complaints.
        changes: of configurations, the latest first.
        change_count: number of fields of connectors that changed.
        quality: what did not fit.
        runs: the latest runs with their outcomes, the newest first.
        run_notes: why there are not more of them.
    """

    source: str
    snapshot: str
    published_at: datetime
    filters: JobFilters
    census: Census
    total: dict[str, Any]
    parts: dict[str, Any]
    failures: dict[str, Any]
    reasons: list[Reason]
    in_force: InForce
    changes: list[Change]
    change_count: int
    quality: Quality
    runs: list[dict[str, Any]]
    run_notes: Sequence[str]


def gather(root: Path, filters: JobFilters, *, advance: Callable[[int], None]) -> Figures:
    """Read a dataset and add up what a report shows.

    Memory grows with connectors and their fields, with unfinished jobs, and with the ids of one month.

    Args:
        root: folder of the dataset.
        filters: which jobs are wanted.
        advance: told of jobs that are done, wanted or not; twice of each.

    Raises:
        OutputError: there is no dataset, or it cannot be read.
    """
    chosen = ChosenJobs(root, filters)
    found = census(chosen, advance)
    newest = int((found.newest or datetime.now(UTC)).timestamp() // 86_400)
    axes = Axes(connectors=found.connectors, types=found.types, statuses=found.statuses, newest=newest)
    total, parts, failures = (
        Cube(replace(axes, connectors=()), found.jobs),
        Cube(axes, found.jobs),
        Failures(found.errors, axes),
    )
    suspicious = Suspicious(chosen.looked_at(found.unfinished))
    drift = Drift()
    for month in chosen.months_undated_first():
        for jobs, rows in chosen.chunks("sync_jobs", month, COLUMNS):
            if jobs.num_rows:
                summed = derived(jobs)
                total.add(summed)
                parts.add(summed)
                failures.add(jobs, summed)
                suspicious.add(jobs)
            advance(rows)
        if month is not None:
            drift.add_month(chosen, month)
    changes, change_count = drift.found()
    runs, notes = records_or_notes(Layout(root))
    cells = parts.within(_PARTS_BYTES)
    return Figures(
        source=chosen.manifest.origin.source,
        snapshot=chosen.manifest.run_id,
        published_at=chosen.manifest.created_at,
        filters=filters,
        census=found,
        total=total.within(_TOTAL_BYTES),
        parts=cells,
        failures=failures.within(_FAILURES_BYTES, connectors=cells["connectors"]),
        reasons=suspicious.found(),
        in_force=in_force(chosen, found.newest_jobs),
        changes=changes,
        change_count=change_count,
        quality=quality(chosen),
        runs=[_shown(run) for run in runs[-_SHOWN_RUNS:][::-1]],
        run_notes=notes,
    )


def _shown(run: RunManifest) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "started_at": run.started_at,
        "state": run.state.value,
        "exit_code": run.exit_code,
        **{outcome.value: run.outcomes.get(outcome.value, 0) for outcome in Outcome},
    }
