"""What a dataset holds of the cluster before a walk: what is settled or may still change, and how many of each kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.extract.filters import JobFilters
    from etl.load.index import JobIndex
    from etl.load.reader import Snapshot

_COLUMNS = ("job_id", "status", "job_type", "connector_id", "created_at", "not_found_at")


class Published:
    """The jobs of a snapshot, counted once; the ids are kept only of jobs that may still change, or are gone.

    Attributes:
        unsettled: ids of jobs to be asked for again, those that the filters do not concern left out.
    """

    def __init__(self, snapshot: Snapshot | None, index: JobIndex, filters: JobFilters) -> None:
        self._index = index
        self._counts: Counter[tuple[str | None, str | None, str | None]] = Counter()
        self._gone: set[str] = set()
        self.unsettled: list[str] = []
        for chunk in snapshot.chunks("sync_jobs", _COLUMNS) if snapshot else ():
            rows = chunk.to_pylist()
            settled = index.settled_of([row["job_id"] for row in rows])
            for row, is_settled in zip(rows, settled, strict=True):
                if row["not_found_at"] is not None:
                    self._gone.add(row["job_id"])
                    continue
                self._counts[row["status"], row["job_type"], row["connector_id"]] += 1
                if not is_settled and _concerns(filters, row):
                    self.unsettled.append(row["job_id"])

    def settled(self, ids: Sequence[str]) -> Sequence[bool]:
        """Tell of each id whether its job is published and settled; one that came back is to be looked at."""
        flags = self._index.settled_of(ids).tolist()
        return [is_settled and job_id not in self._gone for job_id, is_settled in zip(ids, flags, strict=True)]

    def published(self, ids: Sequence[str]) -> Sequence[bool]:
        """Tell of each id whether its job is published and not known to be gone."""
        known = (self._index.lookup(ids) >= 0).tolist()
        return [is_known and job_id not in self._gone for job_id, is_known in zip(ids, known, strict=True)]

    def count(self, status: str | None, job_type: str | None, connector_id: str | None) -> int:
        """Return how many jobs are published that have these properties; None is any."""
        wanted = (status, job_type, connector_id)
        return sum(
            number
            for kind, number in self._counts.items()
            if all(asked is None or asked == found for asked, found in zip(wanted, kind, strict=True))
        )


def _concerns(filters: JobFilters, row: dict[str, object]) -> bool:
    """Tell whether filters admit a job, whatever its status, for that may have changed."""
    return filters.without_status().admits(
        connector_id=row["connector_id"],  # type: ignore[arg-type]  # as the columns are declared
        job_type=row["job_type"],  # type: ignore[arg-type]
        status=None,
        created_at=row["created_at"],  # type: ignore[arg-type]
    )
