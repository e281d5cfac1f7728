"""What a run leaves behind of itself: its record on disk, and its summary."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from etl.extract.jobs_file import format_comment, format_jobs
from etl.load.runs import FAILED, RAW, RunRecord
from etl.model import IdRecord, Outcome
from etl.pipeline.summary import RunSummary
from etl.schema.tables import TABLES
from etl.settings.installed import version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.load.plan import PublishPlan
    from etl.load.writer import Closing
    from etl.pipeline.course import Course
    from etl.pipeline.verdict import Verdict

_LIBRARIES = ("pyarrow", "pandas", "requests")
TO_RETRY = frozenset({Outcome.FAILED, Outcome.REJECTED, Outcome.INVALID})
"""Outcomes that failed.txt tells of; what no request brings stands there as a comment."""

_EXAMPLES = 3
_LONGEST = 100  # characters of an example


def run_record(course: Course, end: Verdict, final: Iterator[IdRecord], *, failed: Iterator[IdRecord]) -> RunRecord:
    """Return the record of a run.

    Args:
        course: of the run.
        end: how it ends.
        final: the records of all ids with their final outcomes.
        failed: those that failed.txt tells of.
    """
    settings = course.settings
    return RunRecord(
        source=course.provenance.source,
        started_at=course.started,
        ended_at=datetime.now(UTC),
        exit_code=end.exit_code,
        outcomes=final,
        failed="".join(_failed_line(record, asked=course.attempted > 0) for record in failed),
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
            "engine": settings.engine,
        },
        counts={
            "attempted": course.attempted,
            "redacted": course.redacted,
            "masked": course.masked,
            "adopted": course.adopted,
            **course.figures,
        },
        timings=course.timings,
        versions={
            "etl": version(),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    )


def examples_of(course: Course) -> dict[Outcome, list[str]]:
    """Return what a person has to correct, the first few of each outcome: invalid lines, and broken documents of files.

    The records are read no further than needed.
    """
    kinds = (Outcome.INVALID,) if course.attempted else (Outcome.INVALID, Outcome.REJECTED)
    missing = {outcome: min(_EXAMPLES, course.outcomes.get(outcome, 0)) for outcome in kinds}
    found: dict[Outcome, list[str]] = {outcome: [] for outcome in kinds}
    records = chain.from_iterable(course.records.groups())
    while any(missing.values()) and (record := next(records, None)) is not None:
        if missing.get(record.outcome, 0):
            found[record.outcome].append(_example(record))
            missing[record.outcome] -= 1
    return found


def _example(record: IdRecord) -> str:
    """Say where something is wrong, and what: a line of a jobs file, or a place in a file of documents."""
    if record.outcome is Outcome.INVALID:
        shown = record.id if len(record.id) <= _LONGEST else f"{record.id[:_LONGEST]}..."
        return f"line {record.line}: '{shown}' {record.reason}"
    return f"{record.id}: {record.reason}"


def _failed_line(record: IdRecord, *, asked: bool) -> str:
    """Return a line of failed.txt; what no request brings is a comment.

    Args:
        record: of an id, or of a place in a file of documents.
        asked: whether the run made requests at all.
    """
    if record.outcome is Outcome.INVALID or (record.outcome is Outcome.REJECTED and not asked):
        return format_comment(_example(record))
    return format_jobs([(record.id, record.reason)])


def run_summary(course: Course, end: Verdict, closed: Closing, plan: PublishPlan | None) -> RunSummary:
    """Return the summary of a run that has left its record."""
    recovered = course.writer.recovered.snapshot
    published = closed.snapshot or (recovered.manifest if recovered else None)
    tables = published.tables if published else {}
    outcomes = closed.run.outcomes
    retry = outcomes.get(Outcome.FAILED, 0) or (outcomes.get(Outcome.REJECTED, 0) and course.attempted)
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
        failed_file=course.storage.layout.run(course.run_id) / FAILED if retry else None,
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
    if recovered.broken_batches:
        yield (
            f"{recovered.broken_batches} batches of runs that died could not be read and were dropped; those of their "
            "ids that were asked for were fetched again"
        )
    if recovered.refused_jobs:
        yield (
            f"{recovered.refused_jobs} jobs staged by a run that died under other settings were dropped; those "
            "asked for were fetched again"
        )
