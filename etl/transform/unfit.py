"""The one exception inside the transformation: a value that cannot become its column's type."""

from __future__ import annotations


class UnfitError(ValueError):
    """Says what is wrong with the value; it becomes a field issue, and the column is null."""
