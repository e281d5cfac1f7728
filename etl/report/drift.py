"""Configuration that changed from one job of a connector to the next, as far as values are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.report.texts import cut
from etl.scrub import text as masked

if TYPE_CHECKING:
    from datetime import datetime

    from etl.dataset.chosen import ChosenJobs

LISTED = 100
"""Changed fields that are listed, the latest changes first; all are counted."""

_CONNECTOR = (
    "service_type", "language", "index_name", "pipeline_name", "pipeline_extract_binary_content",
    "pipeline_reduce_whitespace", "pipeline_run_ml_inference",
)  # fmt: skip
_ACCESS_CONTROL = r"^\.search-acl-filter-"  # jobs of that type fill an index beside the connector's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A field of a connector that had more than one value.

    Attributes:
        connector_id: whose it is.
        field: name of a configuration field, or of a column of `connectors`.
        changes: how often it changed.
        at: when the job was created with which it changed last.
        job_id: of that job.
        before: the value until then.
        after: the value since then.
    """

    connector_id: str
    field: str
    changes: int
    at: datetime | None
    job_id: str
    before: str
    after: str


class Drift:
    """Compares the jobs of each connector in the order of their creation; undated ones are left out.

    Only values that are shown are compared: a field that a writer leaves out tells nothing.

    Memory grows with fields of connectors, and with the ids of one month.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}
        self._changes: dict[tuple[str, str], Change] = {}

    def add_month(self, chosen: ChosenJobs, month: str) -> None:
        """Take the jobs of a month, each later than the one before.

        Raises:
            OutputError: a file cannot be read.
        """
        columns = ("job_id", "connector_id", "created_at")
        jobs = pa.concat_tables([chunk for chunk, _ in chosen.chunks("sync_jobs", month, columns)]).combine_chunks()
        for chunk, _ in chosen.chunks("connectors", month, ("job_id", *_CONNECTOR)):
            index = pc.replace_substring_regex(chunk["index_name"], _ACCESS_CONTROL, "")
            for name in _CONNECTOR:
                values = index if name == "index_name" else pc.cast(chunk[name], pa.string())
                field = pa.array([name]).take(pa.array(np.zeros(chunk.num_rows, np.int8)))
                self._add(jobs, chunk["job_id"], pa.chunked_array([field]), values)
        for chunk, _ in chosen.chunks("connector_configuration", month, ("job_id", "field", "value_json")):
            self._add(jobs, chunk["job_id"], chunk["field"], chunk["value_json"])

    def _add(self, jobs: pa.Table, job_ids: pa.ChunkedArray, fields: pa.ChunkedArray, values: pa.ChunkedArray) -> None:
        """Take values of fields of jobs, in the order of the jobs; what is not shown is null, and tells nothing."""
        places = pc.index_in(job_ids, value_set=jobs["job_id"]).combine_chunks()
        rows = pa.table(
            {"place": places, "connector": jobs["connector_id"].take(places), "field": fields, "value": values}
        )
        rows = rows.filter(pc.and_(pc.is_valid(rows["connector"]), pc.is_valid(rows["value"]))).combine_chunks()
        if not rows.num_rows:
            return
        (connector, connectors), (field, names), (value, _) = (
            _coded(rows[name]) for name in ("connector", "field", "value")
        )
        group = connector.astype(np.int64) * len(names) + field
        order = np.argsort(group, kind="stable")
        group, value = group[order], value[order]
        is_first = np.concatenate([[True], group[1:] != group[:-1]])
        is_changed = np.concatenate([[False], (value[1:] != value[:-1])]) & ~is_first
        is_last = np.concatenate([is_first[1:], [True]])
        for at in np.flatnonzero(is_first | is_changed | is_last):
            key = connectors[group[at] // len(names)], names[group[at] % len(names)]
            text = rows["value"][int(order[at])].as_py()
            before = self._values.get(key)
            if before is not None and before != text:
                self._change(key, before, text, jobs, rows["place"][int(order[at])].as_py())
            self._values[key] = text

    def _change(self, key: tuple[str, str], before: str, after: str, jobs: pa.Table, place: int) -> None:
        known = self._changes.get(key)
        self._changes[key] = Change(
            connector_id=key[0],
            field=key[1],
            changes=1 + (known.changes if known else 0),
            at=jobs["created_at"][place].as_py(),
            job_id=jobs["job_id"][place].as_py(),
            before=cut(masked(before), 120),
            after=cut(masked(after), 120),
        )

    def found(self) -> tuple[list[Change], int]:
        """Return the fields that changed last, and the number of all that changed."""
        latest = sorted(self._changes.values(), key=lambda change: (change.at, change.connector_id, change.field))
        return latest[::-1][:LISTED], len(latest)


def _coded(column: pa.ChunkedArray) -> tuple[Any, list[str]]:
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
