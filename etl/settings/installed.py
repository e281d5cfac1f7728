"""What is installed, by name and version."""

from __future__ import annotations

from importlib import metadata
from typing import Final

PROJECT: Final = "sync-jobs-etl"
"""The name under which this program is installed."""


def version(distribution: str = PROJECT) -> str:
    """Return the version of an installed distribution, "unknown" where it is none, as in a folder of sources."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
