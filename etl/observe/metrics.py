"""What a run tells to Prometheus: a text file for node_exporter's textfile collector, written whole at the end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAST_SUCCESS: Final = "etl_last_success_timestamp_seconds"
_MODE: Final = 0o644  # node_exporter runs under another account, whatever the umask of this one


@dataclass(frozen=True, kw_only=True, slots=True)
class RunMetrics:
    """The figures of a run, also of one that could not begin, and of the dataset that it left.

    Attributes:
        output: folder of the dataset, absolute: a label of every metric, so that files of several datasets agree.
        exit_code: that the command ends with; a run with 0 is a success.
        ended_at: when it ended, in seconds since 1970.
        duration_s: seconds from the start of the command to its end.
        outcomes: ids by outcome; None where the run had not begun.
        retries: attempts beyond the first, summed over the ids; None where the run had not begun.
        jobs: in the dataset; None where there is none.
        bytes: of its files, in the state that readers see; None likewise.
        newest_at: when its newest job was created, in seconds since 1970; None where no job has a time.
    """

    output: str
    exit_code: int
    ended_at: float
    duration_s: float
    outcomes: Mapping[str, int] | None = None
    retries: int | None = None
    jobs: int | None = None
    bytes: int | None = None
    newest_at: float | None = None


@dataclass(kw_only=True, slots=True)
class _Sheet:
    """Metrics with the label `output`."""

    output: str
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def set(self, name: str, text: str, value: float | None) -> None:
        """Add one metric; None leaves it out."""
        if value is not None:
            Gauge(name, text, ["output"], registry=self.registry).labels(self.output).set(value)

    def set_by(self, name: str, text: str, label: str, values: Mapping[str, int]) -> None:
        """Add one metric with a further label."""
        gauge = Gauge(name, text, ["output", label], registry=self.registry)
        for key, value in values.items():
            gauge.labels(self.output, key).set(value)


def write_metrics(path: Path, run: RunMetrics) -> None:
    """Put the metrics in the place of the file's earlier content, whole and readable by everybody.

    The time of the last success outlives runs that fail: it is taken from the earlier content. It is 0 where no run
    has succeeded yet, so that an alert on its age fires then too.

    Raises:
        OSError: the file cannot be written.
    """
    success = run.ended_at if run.exit_code == 0 else _last_success(path, run.output)
    _replace(path, _text(run, success))


def _text(run: RunMetrics, success: float) -> bytes:
    sheet = _Sheet(output=run.output)
    sheet.set("etl_last_run_exit_code", "Exit code of the last run.", run.exit_code)
    sheet.set("etl_last_run_timestamp_seconds", "When the last run ended.", run.ended_at)
    sheet.set("etl_last_run_duration_seconds", "How long the last run took.", run.duration_s)
    sheet.set(LAST_SUCCESS, "When a run last ended with exit code 0; 0 where none has.", success)
    if run.outcomes is not None:
        told = "Requested ids of the last run by outcome."
        sheet.set_by("etl_last_run_ids", told, "outcome", run.outcomes)
    sheet.set("etl_last_run_retries", "Attempts of the last run beyond the first, summed over ids.", run.retries)
    sheet.set("etl_dataset_jobs", "Jobs in the dataset.", run.jobs)
    sheet.set("etl_dataset_bytes", "Size of the dataset's files, in the state that readers see.", run.bytes)
    told = "When the newest job in the dataset was created."
    sheet.set("etl_dataset_newest_job_timestamp_seconds", told, run.newest_at)
    return generate_latest(sheet.registry)


def _last_success(path: Path, output: str) -> float:
    """Read the time of the last success out of a file; 0 where it tells none."""
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # absent, or cut by somebody else: UnicodeError is a ValueError too
        return 0.0
    return next(
        (
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == LAST_SUCCESS and sample.labels.get("output") == output
        ),
        0.0,
    )


def _replace(path: Path, content: bytes) -> None:
    # The collector reads every name that ends in .prom: this one does not.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(_MODE)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
