"""The id of the run that goes on in this program, for each line of its log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Current:
    run_id: str | None = None


_CURRENT = _Current()


def name_run(run_id: str | None) -> None:
    """Let the lines that follow carry the id of a run; None of no run. It holds until the next call."""
    _CURRENT.run_id = run_id


def run_name() -> str | None:
    """Return the id of the run that goes on, or went on last; None before the first."""
    return _CURRENT.run_id
