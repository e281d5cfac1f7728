"""How every run begins: its id, what its rows are made by, the hold on the dataset, and a course to follow."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from etl.errors import UsageError
from etl.extract.client import Client
from etl.load.layout import new_run_id
from etl.load.place import in_store, is_shared, storage_of
from etl.load.prune import Retention
from etl.load.writer import Opening, Writer
from etl.model import IdRecord, Provenance
from etl.observe.logs import LOGGER
from etl.observe.run_name import name_run
from etl.pipeline.batch import BatchWork
from etl.pipeline.course import Course
from etl.pipeline.preflight import facts_of, source_of
from etl.pipeline.spool import Spool
from etl.schema.arrow import schema_fingerprint
from etl.settings import Engine
from etl.transform.redact import REDACTOR_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from etl.pipeline.stop import Stop
    from etl.settings import Connection, RunSettings


_NO_MODE = "--output-mode has no effect in a store: the policy of the bucket says who reads what"


@contextmanager
def opened(
    settings: RunSettings,
    source: str,
    *,
    started: datetime,
    stop: Stop,
    inputs: Mapping[str, Any],
    shown_settings: Mapping[str, Any],
) -> Iterator[Course]:
    """Take hold of a dataset for a run.

    Args:
        settings: of the run.
        source: that its rows come from.
        started: when it began (UTC).
        stop: ends it in order.
        inputs: what was asked for, for the run's manifest.
        shown_settings: further settings for the manifest.

    Raises:
        UsageError: the dataset is another source's.
        LockedError: another run holds the lock.
        OutputError: the dataset cannot be read or written.
    """
    settings = _within_reach(settings)
    provenance = Provenance(
        source=source,
        schema_fingerprint=schema_fingerprint(),
        redactor_version=REDACTOR_VERSION,
        exposed=tuple(sorted(settings.exposed)),
    )
    opening = Opening(
        run_id=new_run_id(datetime.now(UTC), SystemRandom()),
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
    name_run(opening.run_id)
    records: Spool[IdRecord] = Spool()
    rejected: Spool[bytes] = Spool()
    storage = storage_of(settings.output.absolute(), mode=settings.output_mode)
    with closing(records), closing(rejected), Writer.open(storage, opening) as writer:
        yield Course(
            run_id=opening.run_id,
            storage=storage,
            provenance=provenance,
            settings=settings,
            writer=writer,
            stop=stop,
            started=started,
            records=records,
            rejected=rejected,
            inputs=dict(inputs),
            shown_settings=dict(shown_settings),
            warnings=[_NO_MODE] if settings.output_mode is not None and in_store(settings.output) is not None else [],
        )


def _within_reach(settings: RunSettings) -> RunSettings:
    """Let a run whose output only this program sees do everything by itself.

    Raises:
        UsageError: it was to be done on other machines.
    """
    if is_shared(settings.output):
        return settings
    if settings.engine is not Engine.LOCAL:
        msg = f"{settings.output}: only this program sees it; name a folder or s3://bucket/prefix with --engine dask"
        raise UsageError(msg)
    return replace(settings, workers=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnCluster:
    """A run that asks a cluster.

    Attributes:
        client: of the cluster.
        course: of the run.
        work: what is done with a batch.
    """

    client: Client
    course: Course
    work: BatchWork


@contextmanager
def opened_on_cluster(
    connection: Connection, settings: RunSettings, *, stop: Stop, inputs: Mapping[str, Any]
) -> Iterator[OnCluster]:
    """Ask a cluster who it is, and take hold of the dataset of its jobs.

    Args:
        connection: to the cluster.
        settings: of the run.
        stop: ends it in order.
        inputs: what was asked for, for the run's manifest.

    Raises:
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        InterruptedRunError: SIGINT came before the run had begun; TerminatedRunError: SIGTERM did.
        EtlError: see `opened`.
    """
    started = datetime.now(UTC)
    with Client(connection) as client:
        facts = facts_of(client, stop)
        source = source_of(settings, facts, connection)
        shown = {
            "url": connection.url,
            "concurrency": connection.concurrency,
            "transport": str(client.choice),
        }
        with opened(settings, source, started=started, stop=stop, inputs=inputs, shown_settings=shown) as course:
            LOGGER.info("requests are carried by %s", client.choice)
            yield OnCluster(client=client, course=course, work=BatchWork.of(course, connection, facts.version))
