"""`--metrics-file`: whatever way a run ends, its figures are left for Prometheus."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from etl.cli.exits import exit_code_of
from etl.cli.options import option
from etl.cli.values import Place, place_of
from etl.errors import UsageError
from etl.observe.logs import tell_problem
from etl.settings.extras import check_libraries

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from etl.pipeline.summary import RunSummary

_ENDING = ".prom"


class Meter:
    """Measures a command from its making to the end of its block, and writes the metrics then.

    Args:
        path: of the file.
        output: folder of the dataset.

    Raises:
        UsageError: the file could not be written, or nothing would read it, or the library is missing.
    """

    def __init__(self, path: Path, output: str) -> None:
        _check(path)
        self._path = path
        self._output = place_of(output)
        self._began = time.monotonic()
        self._summary: RunSummary | None = None

    def note(self, summary: RunSummary) -> None:
        """Take the figures of the run, once there are some."""
        self._summary = summary

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from etl.observe.metrics import write_metrics  # noqa: PLC0415 - needs the extra
        from etl.pipeline.measured import measured  # noqa: PLC0415 - likewise

        figures = measured(
            self._output,
            self._summary,
            exit_code=exit_code_of(error) if self._summary is None else self._summary.exit_code,
            ended_at=datetime.now(UTC),
            duration_s=time.monotonic() - self._began,
        )
        try:
            write_metrics(self._path, figures)
        except OSError as failure:
            tell_problem(
                f"{self._path}: the metrics cannot be written: {failure.strerror}; the run itself is not touched"
            )


def metrics_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--metrics-file` to a command; it is then given a `meter`, whose `note` takes the summary of its run."""

    @option(
        "--metrics-file",
        type=Place(dir_okay=False, readable=False, path_type=Path),
        metavar="FILE",
        help="Leave the figures of the run there for node_exporter's textfile collector, also where it fails. The "
        "name ends in .prom; needs the extra [metrics].",
    )
    @wraps(function)
    def metered(*arguments: Any, metrics_file: Path | None, **given: Any) -> None:  # noqa: ANN401 - click's values
        if metrics_file is None or given.get("dry_run"):
            function(*arguments, **given)
            return
        with Meter(metrics_file, given["output"]) as meter:
            function(*arguments, meter=meter, **given)

    return metered


def _check(path: Path) -> None:
    check_libraries("--metrics-file", extra="metrics", names=("prometheus_client",))
    if path.suffix != _ENDING:
        msg = f"--metrics-file {path}: the textfile collector reads only names that end in {_ENDING}: rename it"
        raise UsageError(msg)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        msg = f"--metrics-file {path}: {path.parent} is no folder that this account can write to: make it so"
        raise UsageError(msg)
