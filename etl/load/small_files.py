"""Months whose rows stand in more files than they need."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.load.reader import Snapshot


def months_to_join(snapshot: Snapshot, file_rows: int) -> frozenset[str | None]:
    """Return the months of which some table's rows would fit in fewer files.

    Args:
        snapshot: published.
        file_rows: most rows of a file.
    """
    joined: set[str | None] = set()
    for name in snapshot.manifest.tables:
        files: Counter[str | None] = Counter()
        rows: Counter[str | None] = Counter()
        for entry in snapshot.entries(name):
            if entry.rows:
                files[entry.month] += 1
                rows[entry.month] += entry.rows
        joined.update(month for month, count in files.items() if count > -(-rows[month] // file_rows))
    return frozenset(joined)
