"""The main job: fetch ids, transform, stage, and publish; every id ends in exactly one outcome."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.extract.client import Client
from etl.pipeline.batch import BatchWork
from etl.pipeline.by_ids import fetch_ids
from etl.pipeline.opening import opened
from etl.pipeline.preflight import facts_of, source_of
from etl.pipeline.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.extract.jobs_file import JobsFile
    from etl.pipeline.summary import RunSummary
    from etl.settings import Connection, RunSettings


def run(
    jobs: JobsFile,
    connection: Connection,
    settings: RunSettings,
    *,
    stop: Stop | None = None,
    quiet: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> RunSummary:
    """Fetch the ids of a jobs file and publish what came.

    Args:
        jobs: what is asked for.
        connection: to the cluster.
        settings: of the run.
        stop: ends the run in order when it is requested.
        quiet: no progress.
        inputs: what was asked for, for the run's manifest.

    Returns:
        The summary; its exit code tells how the run ended, also where nothing was published.

    Raises:
        UsageError: the dataset is another source's.
        LockedError: another run holds the lock, or has published meanwhile.
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        OutputError: the dataset cannot be read or written.
        InterruptedRunError: SIGINT came before the run had begun; TerminatedRunError: SIGTERM did.
    """
    stop = stop or Stop()
    started = datetime.now(UTC)
    with Client(connection) as client:
        facts = facts_of(client, stop)
        with opened(
            settings,
            source_of(settings, facts, connection),
            started=started,
            stop=stop,
            inputs={**(inputs or {}), "repeats": jobs.repeats},
            shown_settings={"url": connection.url, "concurrency": connection.concurrency},
        ) as course:
            work = BatchWork.of(course, connection, facts.version)
            with stop.after(settings.deadline_s):
                fetch_ids(course, work, jobs, client, quiet=quiet)
            return course.finish()
