"""Who answers at the address, before anything is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etl.errors import InterruptedRunError, TerminatedRunError, UnreachableError
from etl.extract.cluster import ClusterFacts, cluster_facts
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
    """Return the name of the source: as it is known beforehand, else the cluster's UUID, else the host of its URL."""
    return settings.source or facts.uuid or urlsplit(connection.url).netloc


def _end_if_stopped(stop: Stop) -> None:
    if stop.cause is not None:
        kind = TerminatedRunError if stop.cause is StopCause.TERMINATED else InterruptedRunError
        msg = "stopped before the first id was asked for"
        raise kind(msg)
