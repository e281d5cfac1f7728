"""Who answers at the address, before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etl.errors import InterruptedRunError, TerminatedRunError, UnreachableError
from etl.extract.cluster import ClusterFacts, cluster_facts
from etl.load.reader import open_snapshot
from etl.load.recover import check_known
from etl.pipeline.stop import Stop, StopCause

if TYPE_CHECKING:
    from etl.extract.client import Client
    from etl.settings import Connection, RunSettings


def facts_of(client: Client, stop: Stop) -> ClusterFacts:
    """Ask the cluster who it is.

    Raises:
        UnreachableError: nothing answers, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        InterruptedRunError: SIGINT came before the answer; TerminatedRunError: SIGTERM did.
    """
    try:
        facts = cluster_facts(client, stop=stop.event)
    except UnreachableError:
        _end_if_stopped(stop)  # the stop broke off the waiting for an answer
        raise
    _end_if_stopped(stop)
    return facts


def source_of(settings: RunSettings, facts: ClusterFacts, connection: Connection) -> str:
    """Return the name of the source: as it is known beforehand, else the cluster's UUID, else the host of its URL.

    Raises:
        RefusedError: the dataset knows its cluster by a UUID, which the credentials may not read; UnreachableError
            where it cannot be read for another reason.
        OutputError: the dataset cannot be read.
    """
    known = settings.source or facts.uuid
    if known is not None:
        return known
    host = urlsplit(connection.url).netloc
    if facts.hidden is not None:
        root = settings.output.absolute()
        check_known(root, open_snapshot(root), host, facts.hidden)
    return host


def _end_if_stopped(stop: Stop) -> None:
    if stop.cause is not None:
        kind = TerminatedRunError if stop.cause is StopCause.TERMINATED else InterruptedRunError
        msg = "stopped before the first id was asked for"
        raise kind(msg)
