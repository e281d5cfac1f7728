"""Every sync job of a cluster, or those that are new or may still change, to a published dataset."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from etl.extract.filters import UNFINISHED, JobFilters
from etl.extract.walk.asking import Asking
from etl.extract.walk.course import WalkSettings
from etl.extract.walk.since import WalkSince
from etl.extract.walk.walk import Walk
from etl.model import AnswerKind, RequestedId
from etl.observe.logs import LOGGER
from etl.observe.progress import progress
from etl.pipeline.by_ids import MANY_A_REQUEST
from etl.pipeline.feed import answer_tasks, do_all, id_tasks
from etl.pipeline.mark import mark_of, watermark_of
from etl.pipeline.opening import opened_on_cluster
from etl.pipeline.published import Published
from etl.pipeline.stop import Stop
from etl.pipeline.strategies import count_jobs
from etl.pipeline.times import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from etl.extract.walk.report import WalkReport
    from etl.model import Answer
    from etl.observe.progress import Progress
    from etl.pipeline.batch import BatchTask
    from etl.pipeline.course import Course
    from etl.pipeline.summary import RunSummary
    from etl.settings import Connection, RunSettings

_MANY = 20  # unsettled jobs from which on walking the unfinished ones is cheaper
_NONE = "the cluster has no sync job; is it the right one?"
_NO_MATCH = "no sync job of the cluster matches: check the filters"
_FAILURES = frozenset({AnswerKind.FAILED, AnswerKind.REJECTED})


def run_all(
    filters: JobFilters,
    connection: Connection,
    settings: RunSettings,
    *,
    stop: Stop | None = None,
    quiet: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> RunSummary:
    """Fetch every sync job of the cluster that is wanted, and publish what came.

    On a dataset that an earlier complete walk with the same filters has filled, only what is new or may still change
    is fetched.

    Args:
        filters: which jobs are wanted.
        connection: to the cluster.
        settings: of the run.
        stop: ends the run in order when it is requested.
        quiet: no progress.
        inputs: what was asked for, for the run's manifest.

    Returns:
        The summary; jobs that were found are what was requested.

    Raises:
        As `etl.pipeline.run.run`.
    """
    stop = stop or Stop()
    asked = {**(inputs or {}), "filters": filters.key()}
    with opened_on_cluster(connection, settings, stop=stop, inputs=asked) as begun:
        client, course, work = begun.client, begun.course, begun.work
        walking = _Walking(course, filters, Asking(client, stop=stop.event, version=work.version))
        with stop.after(settings.deadline_s), progress(None, "jobs", quiet=quiet) as shown:
            worth = walking.unsettled if walking.is_incremental else count_jobs(client, stop.event) or 0
            do_all(course, work, walking.tasks(shown), jobs=worth // MANY_A_REQUEST, shown=shown)
        if walking.found_none:
            course.warnings.append(_NONE if filters == JobFilters() else _NO_MATCH)
        return course.finish()


class _Walking:
    """A walk on its way into batches."""

    def __init__(self, course: Course, filters: JobFilters, asking: Asking) -> None:
        self._course = course
        self._filters = filters
        self._asking = asking
        self._numbers = count()
        writer = course.writer
        self._published = Published(writer.recovered.snapshot, writer.published, filters)
        settings = WalkSettings(filters=filters, use_index=True)
        mark = None if course.settings.refresh else mark_of(writer.watermark, filters, course.settings.overlap_s)
        self._walk: Walk | WalkSince
        if mark is None:
            skips = None if course.settings.refresh else self._published.settled
            self._walk = Walk(asking, settings, time_of=time_of, skips=skips)
        else:
            self._walk = WalkSince(asking, settings, mark=mark, known=self._published, time_of=time_of)
        self.is_incremental = mark is not None
        self.unsettled = len(self._published.unsettled)
        how = "all jobs" if mark is None else f"jobs since {mark.watermark:%Y-%m-%dT%H:%M:%SZ} and unsettled ones"
        LOGGER.info("run %s: %s of %s", course.run_id, how, course.provenance.source)

    @property
    def found_none(self) -> bool:
        """Whether a walk of all jobs that came to its end has met none."""
        course = self._course
        whole = not (self.is_incremental or course.fatal or course.incomplete or course.stop.cause)
        return whole and not course.requested and not course.figures.get("left_alone")

    def tasks(self, shown: Progress) -> Iterator[BatchTask]:
        """Yield what the walk finds, batch by batch, and then what else is to be fetched."""
        yield from self._answered(self._walk.answers(), shown)
        self._account(self._walk.report())
        yield from self._unsettled(shown)

    def _answered(self, groups: Iterator[tuple[Answer, ...]], shown: Progress) -> Iterator[BatchTask]:
        def counted() -> Iterator[list[tuple[RequestedId, Answer]]]:
            for group in groups:
                shown.advance(len(group))
                self._course.requested += len(group)
                self._course.count_failures(sum(answer.kind in _FAILURES for answer in group))
                yield [(RequestedId(id=answer.id), answer) for answer in group]

        return answer_tasks(counted(), self._course.settings.batch_size, self._numbers)

    def _unsettled(self, shown: Progress) -> Iterator[BatchTask]:
        """Yield published jobs that may still change and that the walk has not met.

        Where they are many, the unfinished jobs of the cluster are walked first: that costs a few pages. What has
        finished meanwhile is asked for one by one.
        """
        course = self._course
        ids = self._left(self._walk)
        if len(ids) > _MANY and course.fatal is None:
            unfinished = replace(self._filters, statuses=tuple(sorted(UNFINISHED)))
            settings = WalkSettings(filters=unfinished, use_index=True)
            again = Walk(self._asking, settings, time_of=time_of, skips=self._met)
            yield from self._answered(again.answers(), shown)
            report = again.report()
            course.fatal = course.fatal or report.fatal
            course.figures["requests"] += report.requests
            course.figures["least_requests"] += report.least
            ids = [job_id for job_id in ids if not again.has_met(job_id)]
        if course.fatal is not None:
            return
        course.figures["least_requests"] += len(ids)
        course.requested += len(ids)
        yield from id_tasks([RequestedId(id=job_id) for job_id in ids], course.settings.batch_size, self._numbers)

    def _left(self, walk: Walk | WalkSince) -> list[str]:
        return [job_id for job_id in self._published.unsettled if not walk.has_met(job_id)]

    def _met(self, ids: Sequence[str]) -> list[bool]:
        return [self._walk.has_met(job_id) for job_id in ids]

    def _account(self, report: WalkReport) -> None:
        course = self._course
        course.fatal = course.fatal or report.fatal
        course.incomplete += [str(part) for part in report.incomplete if part.is_certain]
        course.warnings += report.notes
        course.warnings += [str(part) for part in report.incomplete if not part.is_certain]
        course.figures |= {
            "requests": course.figures.get("requests", 0) + report.requests,
            "least_requests": report.least,
            "left_alone": report.skipped,
        }
        if report.is_complete and report.newest is not None:
            course.watermark = watermark_of(self._filters, report.newest)
