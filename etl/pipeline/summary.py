"""What a run tells at its end: the same figures for people, for machines and for the run's manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from etl.errors import ExitCode


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """The end of a run.

    Attributes:
        run_id: of the run.
        exit_code: that the command ends with.
        output: folder of the dataset, absolute.
        source: that was fetched from.
        snapshot: run id of the snapshot it published; None where it published nothing.
        requested: ids that were asked for, invalid ones included.
        outcomes: number of ids by outcome; their sum is `requested`.
        rows: of each table, as published now.
        redacted: values withheld in what was fetched.
        masked: texts of it in which something was masked.
        adopted: further jobs, fetched by runs that died, that were published with this one.
        problem: why the exit code is not 0, in a sentence with the remedy; None where it is.
        figures: further counts: requests made, the fewest possible, and published jobs that were left alone; files
            before and after, where files were joined.
        warnings: what the operator should know all the same.
        failed_file: jobs file of what to try again; None where nothing failed.
        elapsed_s: seconds from start to end.
    """

    run_id: str
    exit_code: ExitCode
    output: Path
    source: str
    snapshot: str | None
    requested: int
    outcomes: Mapping[str, int]
    rows: Mapping[str, int]
    redacted: int
    masked: int
    adopted: int
    problem: str | None
    figures: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(default=())
    failed_file: Path | None = None
    elapsed_s: float

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {
            "run_id": self.run_id,
            "exit_code": int(self.exit_code),
            "output": str(self.output),
            "source": self.source,
            "snapshot": self.snapshot,
            "requested": self.requested,
            "outcomes": dict(self.outcomes),
            "rows": dict(self.rows),
            "redacted": self.redacted,
            "masked": self.masked,
            "adopted": self.adopted,
            "figures": dict(self.figures),
            "problem": self.problem,
            "warnings": list(self.warnings),
            "failed_file": None if self.failed_file is None else str(self.failed_file),
            "elapsed_s": round(self.elapsed_s, 3),
        }
