"""The names of the sandbox's one searchable index, and which of them a request means."""

from __future__ import annotations

from fnmatch import fnmatchcase

JOBS_ALIAS = ".elastic-connectors-sync-jobs"
JOBS_INDEX = ".elastic-connectors-sync-jobs-v1"
CONNECTORS_INDEX = ".elastic-connectors-v1"

_NAMES = (JOBS_ALIAS, JOBS_INDEX)


def is_jobs(name: str) -> bool:
    """Tell whether one name, without wildcards, means the index of sync jobs."""
    return name in _NAMES


def unknown_name(expression: str) -> str | None:
    """Return the first name of an expression that means no index; None where each means one, or may mean none.

    Args:
        expression: names separated by commas; one with `*` may mean none.

    >>> unknown_name(".elastic-connectors-sync-jobs,logs"), unknown_name("logs*")
    ('logs', None)
    """
    return next((name for name in expression.split(",") if "*" not in name and not is_jobs(name)), None)


def means_jobs(expression: str) -> bool:
    """Tell whether an expression means the index of sync jobs; a hidden one needs the dot in front.

    >>> means_jobs(".elastic-connectors-sync*"), means_jobs("*")
    (True, False)
    """
    return any(fnmatchcase(known, name) for name in expression.split(",") if name.startswith(".") for known in _NAMES)
