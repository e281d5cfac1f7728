"""The main job: fetch ids, transform, stage, and publish; every id ends in exactly one outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl.pipeline.by_ids import fetch_ids, foresee_workers
from etl.pipeline.opening import opened_on_cluster
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
    foresee_workers(len(jobs.requested), connection, settings)
    asked = {**(inputs or {}), "repeats": jobs.repeats}
    with opened_on_cluster(connection, settings, stop=stop, inputs=asked) as begun:
        with stop.after(settings.deadline_s):
            fetch_ids(begun.course, begun.work, jobs, begun.client, quiet=quiet)
        return begun.course.finish()
