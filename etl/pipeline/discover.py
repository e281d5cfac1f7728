"""The ids of all sync jobs on a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl.extract.client import Client
from etl.extract.walk.asking import Asking
from etl.extract.walk.course import WalkSettings
from etl.extract.walk.walk import Walk
from etl.pipeline.preflight import facts_of
from etl.pipeline.times import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.extract.filters import JobFilters
    from etl.pipeline.stop import Stop
    from etl.settings import Connection


@contextmanager
def discover(filters: JobFilters, connection: Connection, *, stop: Stop) -> Iterator[Walk]:
    """Give a walk over the ids of the jobs that are wanted: take its `ids`, then its `report`.

    Raises:
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
    """
    with Client(connection) as client:
        facts = facts_of(client, stop)
        asking = Asking(client, stop=stop.event, version=facts.version)
        yield Walk(asking, WalkSettings(filters=filters, use_index=True), time_of=time_of)
