"""The main job: fetch ids, transform, stage, and publish; every id ends in exactly one outcome."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etl.errors import InterruptedRunError, TerminatedRunError, UnreachableError
from etl.extract.client import Client
from etl.extract.cluster import ClusterFacts, cluster_facts
from etl.load.layout import new_run_id
from etl.load.prune import Retention
from etl.load.storage import Storage
from etl.load.writer import Opening, Writer
from etl.model import IdRecord, Provenance
from etl.pipeline.batch import BatchWork
from etl.pipeline.by_ids import fetch_ids
from etl.pipeline.course import Course
from etl.pipeline.spool import Spool
from etl.pipeline.stop import Stop, StopCause
from etl.schema.arrow import schema_fingerprint
from etl.transform.redact import REDACTOR_VERSION

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
    run_id = new_run_id(started, SystemRandom())
    with Client(connection) as client:
        facts = _facts(client, stop)
    provenance = Provenance(
        source=settings.source or facts.uuid or urlsplit(connection.url).netloc,
        schema_fingerprint=schema_fingerprint(),
        redactor_version=REDACTOR_VERSION,
        exposed=tuple(sorted(settings.exposed)),
    )
    opening = Opening(
        run_id=run_id,
        now=started,
        provenance=provenance,
        formats=settings.formats,
        csv_raw=settings.csv_raw,
        settle=timedelta(seconds=settings.settle_s),
        retention=Retention(
            snapshots=settings.keep_snapshots,
            superseded=timedelta(hours=settings.keep_hours),
            runs=settings.keep_runs,
        ),
    )
    work = BatchWork(
        connection=connection,
        version=facts.version,
        output=settings.output.absolute(),
        run_id=run_id,
        provenance=provenance,
    )
    records: Spool[IdRecord] = Spool()
    rejected: Spool[bytes] = Spool()
    storage = Storage(work.output, mode=settings.output_mode)
    with closing(records), closing(rejected), Writer.open(storage, opening) as writer:
        course = Course(
            run_id=run_id,
            output=work.output,
            provenance=provenance,
            settings=settings,
            writer=writer,
            stop=stop,
            started=started,
            records=records,
            rejected=rejected,
            inputs={**(inputs or {}), "repeats": jobs.repeats},
            shown_settings={"url": connection.url, "concurrency": connection.concurrency},
        )
        with stop.after(settings.deadline_s):
            fetch_ids(course, work, jobs, quiet=quiet)
        return course.finish()


def _facts(client: Client, stop: Stop) -> ClusterFacts:
    try:
        facts = cluster_facts(client, stop=stop.event)
    except UnreachableError:
        _end_if_stopped(stop)  # the stop broke off the waiting for an answer
        raise
    _end_if_stopped(stop)
    return facts


def _end_if_stopped(stop: Stop) -> None:
    if stop.cause is not None:
        kind = TerminatedRunError if stop.cause is StopCause.TERMINATED else InterruptedRunError
        msg = "stopped before the first id was asked for"
        raise kind(msg)
