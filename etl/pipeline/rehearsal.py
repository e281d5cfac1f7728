"""A dry run: what a run would fetch, skip and write. It takes no lock and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl.extract.client import Client
from etl.load.index import published_index
from etl.load.layout import Layout
from etl.load.reader import open_snapshot
from etl.load.recover import replaces_sandbox
from etl.load.runs import rechecks
from etl.pipeline.preflight import facts_of, source_of
from etl.pipeline.stop import Stop

if TYPE_CHECKING:
    from pathlib import Path

    from etl.extract.jobs_file import JobsFile
    from etl.settings import Connection, RunSettings

_LOOKUP = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What a run would do.

    Attributes:
        output: folder of the dataset, absolute.
        source: that would be fetched from.
        requested: ids, invalid lines included.
        invalid: lines that cannot be an id.
        settled: ids that would not be fetched, for they are published and settled.
        fetched: ids that would be fetched, each with one request unless it must be repeated.
        requests: the least number of requests, with the one that asks the cluster who it is.
        batches: that would be staged.
        published: jobs that are published now.
        staged: batches of runs that died, which would be adopted or dropped.
        replaces_sandbox: whether demo data would be replaced.
    """

    output: Path
    source: str
    requested: int
    invalid: int
    settled: int
    fetched: int
    requests: int
    batches: int
    published: int
    staged: int
    replaces_sandbox: bool

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"output": str(self.output)}


def rehearse(jobs: JobsFile, connection: Connection, settings: RunSettings) -> Rehearsal:
    """Find out what a run would do; one request asks the cluster who it is.

    Raises:
        UsageError: the dataset is another source's.
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        OutputError: the dataset cannot be read.
    """
    with Client(connection) as client:
        facts = facts_of(client, Stop())
    source = source_of(settings, facts, connection)
    output = settings.output.absolute()
    snapshot = open_snapshot(output)
    replaces = replaces_sandbox(output, snapshot, source)
    layout = Layout(output)
    base = None if replaces else snapshot
    index = published_index(base, timedelta(seconds=settings.settle_s), rechecks(layout, source))
    settled = 0
    every = iter(jobs.requested)
    while block := [requested.id for requested in islice(every, _LOOKUP)]:
        settled += 0 if settings.refresh else int(index.settled_of(block).sum())
    fetched = len(jobs.requested) - settled
    return Rehearsal(
        output=output,
        source=source,
        requested=len(jobs.requested) + len(jobs.invalid),
        invalid=len(jobs.invalid),
        settled=settled,
        fetched=fetched,
        requests=fetched + 1,
        batches=-(-fetched // settings.batch_size),
        published=len(index),
        staged=sum(1 for _ in layout.staging.glob("*/*/_batch.json")),
        replaces_sandbox=replaces,
    )
