"""What a run leaves behind of itself: its record on disk, and its summary."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from etl.extract.jobs_file import format_jobs
from etl.load.runs import FAILED, RunRecord
from etl.model import IdRecord, Outcome
from etl.pipeline.summary import RunSummary
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.load.plan import PublishPlan
    from etl.load.writer import Closing
    from etl.pipeline.course import Course
    from etl.pipeline.verdict import Verdict

RAW = "raw.ndjson.zst"
"""Name of the archive of documents as received, in the folder of a run."""

_LIBRARIES = ("pyarrow", "pandas", "requests")
TO_RETRY = frozenset({Outcome.FAILED, Outcome.REJECTED})
"""Outcomes of ids that stand in failed.txt."""


def run_record(course: Course, end: Verdict, final: Iterator[IdRecord], *, failed: Iterator[IdRecord]) -> RunRecord:
    """Return the record of a run.

    Args:
        course: of the run.
        end: how it ends.
        final: the records of all ids with their final outcomes.
        failed: those of ids to be tried again.
    """
    settings = course.settings
    return RunRecord(
        source=course.provenance.source,
        started_at=course.started,
        ended_at=datetime.now(UTC),
        exit_code=end.exit_code,
        outcomes=final,
        failed=format_jobs((record.id, record.reason) for record in failed),
        rejected=(line for group in course.rejected.groups() for line in group),
        attachments={RAW: course.storage.layout.raw(course.run_id)} if course.raw is not None else {},
        inputs={**course.inputs, "requested": course.requested},
        settings={
            **course.shown_settings,
            "formats": list(settings.formats),
            "csv_raw": settings.csv_raw,
            "exposed": sorted(settings.exposed),
            "settle_s": settings.settle_s,
            "refresh": settings.refresh,
            "strict": settings.strict,
            "batch_size": settings.batch_size,
            "max_failures": None if settings.max_failures is None else str(settings.max_failures),
            "deadline_s": settings.deadline_s,
            "keep_raw": settings.keep_raw,
            "strategy": settings.strategy,
            "workers": settings.workers,
        },
        counts={
            "attempted": course.attempted,
            "redacted": course.redacted,
            "masked": course.masked,
            "adopted": course.adopted,
            **course.figures,
        },
        versions={
            "etl": version("sync-jobs-etl"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    )


def run_summary(course: Course, end: Verdict, closed: Closing, plan: PublishPlan | None) -> RunSummary:
    """Return the summary of a run that has left its record."""
    recovered = course.writer.recovered.snapshot
    published = closed.snapshot or (recovered.manifest if recovered else None)
    tables = published.tables if published else {}
    outcomes = closed.run.outcomes
    retry = any(outcomes.get(outcome, 0) for outcome in TO_RETRY)
    return RunSummary(
        run_id=course.run_id,
        exit_code=end.exit_code,
        output=course.output,
        source=course.provenance.source,
        snapshot=closed.run.snapshot,
        requested=course.requested,
        outcomes={outcome.value: outcomes.get(outcome.value, 0) for outcome in Outcome},
        rows={table.name: tables[table.name].rows if table.name in tables else 0 for table in TABLES},
        redacted=course.redacted,
        masked=course.masked,
        adopted=course.adopted,
        problem=end.problem,
        warnings=(*course.incomplete, *course.warnings, *_warnings(course, plan)),
        figures=dict(course.figures),
        failed_file=course.output / "runs" / course.run_id / FAILED if retry else None,
        elapsed_s=(datetime.now(UTC) - course.started).total_seconds(),
    )


def _warnings(course: Course, plan: PublishPlan | None) -> Iterator[str]:
    recovered = course.writer.recovered
    if course.refused_fields:
        names = ", ".join(sorted(course.refused_fields))
        yield f"not exposed, since flagged as sensitive or named like a secret: {names}"
    if plan is not None and plan.loaded_before_widening:
        yield (
            f"{plan.loaded_before_widening} jobs were loaded while fewer fields were exposed and stay as they are; "
            "--refresh fetches them again"
        )
    yield from recovered.damaged_records
    if recovered.replaces_sandbox:
        yield "the demo's data were replaced"
    if recovered.adopted:
        yield f"{len(recovered.adopted)} batches of runs that died were adopted"
    if recovered.refused_jobs:
        yield (
            f"{recovered.refused_jobs} jobs staged by a run that died under other settings were dropped; those "
            "asked for were fetched again"
        )


def version(distribution: str) -> str:
    """Return the version of an installed distribution, "unknown" where it is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # run from a folder of sources
        return "unknown"
