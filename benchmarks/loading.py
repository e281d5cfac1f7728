"""Stages and publishes as a run does, with rows instead of a cluster: a program that publishes, and one that stages."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from rows import NOW, PROVENANCE, rows_of

from etl.engine.lean import without_pandas
from etl.load.runs import RunRecord
from etl.load.staging import stage
from etl.load.storage import Storage
from etl.load.writer import Opening, Writer
from etl.model import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rows import Jobs

    from etl.load.staging import StagedSummary

BATCH_JOBS = 1_000
"""As the default of a run."""


@dataclass(kw_only=True)
class Loading:
    """What it took.

    Attributes:
        cpu_s: processor time of the publishing program, by step.
        wall_s: time, by step.
        peak_bytes: of the memory of the publishing program.
        staging_peak_bytes: of that of the staging one.
        staging_cpu_s: its processor time, in which the rows are made up too.
        published: whether a snapshot was published.
    """

    cpu_s: dict[str, float] = field(default_factory=dict)
    wall_s: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    staging_peak_bytes: int = 0
    staging_cpu_s: float = 0.0
    published: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu_s[name] = time.process_time() - cpu
        self.wall_s[name] = time.perf_counter() - wall


def load(root: Path, serial: int, jobs: Jobs) -> Loading:
    """Stage and publish jobs, each side in a program of its own.

    Args:
        root: of the dataset.
        serial: of the run, counted from 0.
        jobs: what the run has fetched.
    """
    with _program() as pool:
        return pool.submit(_load, root, serial, jobs).result()


def _program() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _load(root: Path, serial: int, jobs: Jobs) -> Loading:
    without_pandas()
    import etl.cli.run  # noqa: F401, PLC0415 - what a run has in memory before it does anything

    storage = Storage(root)
    now = NOW + timedelta(minutes=serial)
    opening = Opening(run_id=f"{now:%Y%m%dT%H%M%SZ}-{serial:06x}", now=now, provenance=PROVENANCE)
    record = RunRecord(source=PROVENANCE.source, started_at=now, ended_at=now, exit_code=0)
    loading = Loading()
    with loading.step("open"):
        writer = Writer.open(storage, opening)
    with writer:
        with _program() as pool:
            for number, group in enumerate(jobs.groups(BATCH_JOBS)):
                writer.commit(pool.submit(_stage, storage, opening.run_id, number, group).result())
            loading.staging_peak_bytes, loading.staging_cpu_s = pool.submit(_usage).result()
        with loading.step("plan"):
            plan = writer.plan()
        with loading.step("publish"):
            loading.published = writer.publish(plan, record, now=now).snapshot is not None
    loading.peak_bytes, _ = _usage()
    return loading


def _stage(storage: Storage, run_id: str, number: int, jobs: Jobs) -> StagedSummary:
    without_pandas()
    return stage(storage, run_id, PROVENANCE, StagedBatch(number=number, tables=rows_of(jobs)))


def _usage() -> tuple[int, float]:
    """Return the peak of this program's memory in bytes, and its processor time.

    The kernel's `ru_maxrss` would begin with that of the program that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return kilobytes * 1024, time.process_time()
