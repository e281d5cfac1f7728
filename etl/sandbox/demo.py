"""The ids that the demo asks for: a small file with every state, or as many as wanted."""

from __future__ import annotations

from importlib.resources import files

from etl.errors import UsageError
from etl.sandbox.identity import MISSING_FROM, id_of

_MISSING = 3


def demo_ids_text() -> str:
    """Return the demo's jobs file: ids with their states as comments, under the default seed."""
    return files("etl.sandbox").joinpath("demo_jobs.txt").read_text(encoding="utf-8")


def demo_jobs_text(count: int) -> str:
    """Return a jobs file with the ids of `count` jobs and a few that no sandbox knows.

    The sandbox must hold as many: `SandboxSettings(jobs=count)`.

    Raises:
        UsageError: the count is negative.
    """
    if count < 0:
        msg = f"jobs: {count} is negative"
        raise UsageError(msg)
    lines = [f"# {count} jobs of the sandbox, and {_MISSING} that it does not have"]
    lines += [id_of(number) for number in range(count)]
    lines += [f"{id_of(MISSING_FROM + number)} # missing" for number in range(_MISSING)]
    return "\n".join(lines) + "\n"
