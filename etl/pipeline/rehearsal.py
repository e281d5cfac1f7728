"""A dry run: what a run would fetch, skip and write. It takes no lock and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl.extract.client import Client
from etl.extract.walk.pages import PAGE_SIZE, REACH
from etl.load.folders import listing
from etl.load.index import published_index
from etl.load.layout import BATCH_MANIFEST, Layout, is_batch_number
from etl.load.place import is_there
from etl.load.reader import open_snapshot
from etl.load.recover import replaces_sandbox
from etl.load.runs import rechecks
from etl.pipeline.mark import mark_of
from etl.pipeline.preflight import facts_of, source_of
from etl.pipeline.published import Published
from etl.pipeline.stop import Stop
from etl.pipeline.strategies import chosen, count_jobs

if TYPE_CHECKING:
    from pathlib import Path

    from etl.extract.cluster import ClusterFacts
    from etl.extract.filters import JobFilters
    from etl.extract.jobs_file import JobsFile
    from etl.load.index import JobIndex
    from etl.load.reader import Snapshot
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
        fetched: ids that would be fetched.
        strategy: how.
        why: that one, with the cost where there was a choice.
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
    strategy: str
    why: str
    requests: int
    batches: int
    published: int
    staged: int
    replaces_sandbox: bool

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"output": str(self.output)}


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeRehearsal:
    """What a run over the whole cluster would do.

    Attributes:
        output: folder of the dataset, absolute.
        source: that would be fetched from.
        listed: jobs that the list counts; None where it does not say at once.
        is_exact: False where the count stands where counting ends.
        since: from when on jobs would be looked for (UTC); None where all would be walked.
        published: jobs that are published now.
        unsettled: of these, those that would be asked for again.
        requests: the least number of requests.
        replaces_sandbox: whether demo data would be replaced.
    """

    output: Path
    source: str
    listed: int | None
    is_exact: bool
    since: datetime | None
    published: int
    unsettled: int
    requests: int
    replaces_sandbox: bool

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        since = None if self.since is None else self.since.isoformat()
        figures = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return figures | {"output": str(self.output), "since": since}


def rehearse(jobs: JobsFile, connection: Connection, settings: RunSettings) -> Rehearsal:
    """Find out what a run would do; a request asks the cluster who it is, and one may ask how many jobs it has.

    Raises:
        UsageError: the dataset is another source's.
        UnreachableError: nothing answers at the URL, or no Elasticsearch 8.12 or later.
        RefusedError: the credentials are refused.
        OutputError: the dataset cannot be read.
    """
    stop = Stop()
    with Client(connection) as client:
        ground = _ground(facts_of(client, stop), connection, settings)
        settled = 0
        every = iter(jobs.requested)
        while block := [requested.id for requested in islice(every, _LOOKUP)]:
            settled += 0 if settings.refresh else int(ground.index.settled_of(block).sum())
        fetched = len(jobs.requested) - settled
        way = chosen(settings.strategy, fetched, client, stop.event)
    return Rehearsal(
        output=ground.output,
        source=ground.source,
        requested=len(jobs.requested) + len(jobs.invalid),
        invalid=len(jobs.invalid),
        settled=settled,
        fetched=fetched,
        strategy=way.strategy,
        why=way.why,
        requests=1 + way.requests + way.least,
        batches=-(-fetched // settings.batch_size),
        published=len(ground.index),
        staged=_staged(Layout(ground.output)),
        replaces_sandbox=ground.replaces_sandbox,
    )


def rehearse_all(filters: JobFilters, connection: Connection, settings: RunSettings) -> WholeRehearsal:
    """Find out what a run over the whole cluster would do; two requests ask who it is and how many jobs it has.

    Raises:
        As `rehearse`.
    """
    stop = Stop()
    with Client(connection) as client:
        ground = _ground(facts_of(client, stop), connection, settings)
        listed = count_jobs(client, stop.event)
    watermark = ground.snapshot.manifest.watermark if ground.snapshot else None
    mark = None if settings.refresh else mark_of(watermark, filters, settings.overlap_s)
    unsettled = len(Published(ground.snapshot, ground.index, filters).unsettled)
    pages = 1 if mark is not None else max(1, -(-(listed or 0) // PAGE_SIZE))
    return WholeRehearsal(
        output=ground.output,
        source=ground.source,
        listed=listed,
        is_exact=listed is not None and listed < REACH,
        since=None if mark is None else mark.watermark - mark.overlap,
        published=len(ground.index),
        unsettled=unsettled,
        requests=2 + pages,
        replaces_sandbox=ground.replaces_sandbox,
    )


def _staged(layout: Layout) -> int:
    """Return the number of batches that exist; one that was still being written when its run died does not."""
    return sum(
        is_batch_number(folder.name) and is_there(folder, BATCH_MANIFEST)
        for run in listing(layout.staging)
        for folder in (listing(run) if run.is_dir() else ())
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ground:
    """What a run would stand on; `snapshot` is None where there is none, or it would be replaced."""

    output: Path
    source: str
    snapshot: Snapshot | None
    index: JobIndex
    replaces_sandbox: bool


def _ground(facts: ClusterFacts, connection: Connection, settings: RunSettings) -> _Ground:
    source = source_of(settings, facts, connection)
    output = settings.output.absolute()
    snapshot = open_snapshot(output)
    replaces = replaces_sandbox(output, snapshot, source)
    base = None if replaces else snapshot
    index = published_index(base, timedelta(seconds=settings.settle_s), rechecks(Layout(output), source))
    return _Ground(output=output, source=source, snapshot=base, index=index, replaces_sandbox=replaces)
