"""Publishing in several places at once: groups of months are merged by whatever the batches of the run are done by."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Final

from etl.engine.local import LocalEngine, cores
from etl.engine.work import Steps, unwatched
from etl.load.pool import give_back_unused
from etl.pipeline.abroad import check_output, holder_in
from etl.settings import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from etl.load.merging import MergedGroup, Merger, MonthGroup
    from etl.settings import RunSettings

_JOBS_A_WORKER: Final = 5_000
"""Jobs for which it is worth it to have one more worker merge: what it starts with takes as long as some thousand."""

_JOBS_A_GROUP: Final = 100_000
"""Jobs that a worker merges at once: what it has to know of their batches is bounded by that. Smaller groups would read
more of what stands at their borders twice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeWork:
    """What all groups of months of a publish share; picklable, and without a secret.

    Attributes:
        merger: does it.
        holder: see `etl.pipeline.abroad.holder_in`; empty on the machine of the run.
    """

    merger: Merger
    holder: bytes = b""

    @contextmanager
    def open(self, stop: Event, watch: Callable[[int, int], None]) -> Iterator[Steps[MonthGroup, MergedGroup]]:  # noqa: ARG002 - as `Work` has it
        """See `etl.engine.work.Work`: nothing is fetched, and a merge that has begun is not ended."""
        yield Steps(fetch=lambda group: group, stage=self._merge)

    def again(self, task: MonthGroup) -> MonthGroup:
        """Return the group; see `etl.engine.work.Work`."""
        return task

    def abroad(self, shares: int) -> MergeWork:  # noqa: ARG002 - no requests are made
        """Return the work for other machines; see `etl.engine.work.PortableWork`."""
        return replace(self, holder=holder_in(self.merger.storage.layout.root))

    def check(self) -> None:
        """Look for the output folder; see `etl.engine.work.WorkAbroad`.

        Raises:
            OutputError: it is not the run's, or cannot be written to.
        """
        check_output(self.merger.storage.layout.root, self.holder)

    def secrets(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def _merge(self, group: MonthGroup, _: MonthGroup) -> MergedGroup:
        merged = self.merger.merge(group)
        give_back_unused()
        return merged


class EngineSpread:
    """Merges groups of months as the settings of a run say; see `etl.load.merging.Spread`."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings

    def groups(self, jobs: int) -> int:
        """Return how many groups so many jobs are worth."""
        if self._settings.engine is Engine.DASK:
            return max(1, jobs // _JOBS_A_GROUP)
        workers = self._workers(jobs)
        return workers if workers == 1 else workers * -(-jobs // (workers * _JOBS_A_GROUP))

    def merge(self, merger: Merger, groups: Iterable[MonthGroup], count: int) -> Generator[MergedGroup, None, None]:
        """Merge groups on this machine, or on the cluster; see `etl.load.merging.Spread`.

        Raises:
            OutputError: a file cannot be read or written.
            EtlError: see the engines.
        """
        work = MergeWork(merger=merger)
        never = Event()  # what asks a run to end does so before it publishes, or not at all
        if self._settings.engine is Engine.DASK:
            from etl.engine.cluster import ClusterEngine  # noqa: PLC0415 - needs the extra

            scheduler = self._settings.dask_scheduler or ""
            return ClusterEngine(never, unwatched, scheduler=scheduler, concurrency=count).run(work, groups)
        workers = min(count, self._settings.workers or cores())
        return LocalEngine(never, unwatched, workers=workers).run(work, groups)

    def _workers(self, jobs: int) -> int:
        return max(1, min(self._settings.workers or cores(), jobs // _JOBS_A_WORKER))
