"""Documents to tables: decode, redact, rows, and columns under the exact schema."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.jsontext import NotJsonError, decode_noting, is_unpaired
from etl.schema.arrow import arrow_schema
from etl.schema.declare import Kind
from etl.schema.tables import SYNC_JOBS, TABLES
from etl.transform.redact import redact
from etl.transform.rows import JobRows, job_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from etl.model import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CREATED_AT = [column.name for column in SYNC_JOBS.columns].index("created_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A document that is no sync job.

    Attributes:
        position: in the list of documents, from 0.
        reason: why it has no rows.
    """

    position: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformed:
    """What a list of documents became.

    Attributes:
        tables: per table its rows in the order of the documents, in the table's exact Arrow schema.
        refused: documents that are no sync job; all others have a row in sync_jobs.
        redacted: values withheld.
        masked: texts in which something was masked.
        refused_fields: fields that were to be exposed but are secrets.
    """

    tables: Mapping[str, pa.Table]
    refused: tuple[Refused, ...]
    redacted: int
    masked: int
    refused_fields: frozenset[str]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables as pandas DataFrames of dtypes string, Int64, boolean and datetime64[us, UTC]."""
        return {name: table.to_pandas() for name, table in self.tables.items()}


def transform(documents: Iterable[Document], exposed: frozenset[str] = frozenset()) -> Transformed:
    """Turn documents into tables. Pure: the result depends on the arguments alone, and each document on itself alone.

    Args:
        documents: as received.
        exposed: configuration fields whose values may be shown.

    Returns:
        The tables; their rows stand in the order of the documents.
    """
    jobs: list[tuple[JobRows, datetime]] = []
    refused: list[Refused] = []
    counts: Counter[str] = Counter()
    refused_fields: set[str] = set()
    for position, document in enumerate(documents):
        try:
            value, repeated = decode_noting(document.raw)
        except NotJsonError as error:
            refused.append(Refused(position=position, reason=str(error)))
            continue
        reason = _why_no_job(value, document.id)
        if reason is not None:
            refused.append(Refused(position=position, reason=reason))
            continue
        clean = redact(value, exposed)
        counts["redacted"] += clean.redacted
        counts["masked"] += clean.masked
        refused_fields |= clean.refused
        rows = job_rows(document.id or value["id"], clean.document, repeated=repeated)
        jobs.append((rows, document.fetched_at))
    return Transformed(
        tables=_tables(jobs),
        refused=tuple(refused),
        redacted=counts["redacted"],
        masked=counts["masked"],
        refused_fields=frozenset(refused_fields),
    )


def _why_no_job(value: object, asked: str | None) -> str | None:
    if not isinstance(value, dict):
        return "no JSON object"
    if asked is None:
        found = value.get("id")
        if not isinstance(found, str) or not found or is_unpaired(found):
            return "no usable id"
    return None


def _tables(jobs: Sequence[tuple[JobRows, datetime]]) -> dict[str, pa.Table]:
    ids = pa.array([job.job_id for job, _ in jobs], pa.string())
    fetched = pa.array([_microseconds(at) for _, at in jobs], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    created = [job.rows[SYNC_JOBS.name][0][_CREATED_AT] for job, _ in jobs]
    month = pc.strftime(pa.array(created, pa.int64()).cast(pa.timestamp("us", tz="UTC")), format="%Y-%m")
    return {table.name: _table(table.name, jobs, ids, fetched, month) for table in TABLES}


def _table(
    name: str, jobs: Sequence[tuple[JobRows, datetime]], ids: pa.Array, fetched: pa.Array, month: pa.Array
) -> pa.Table:
    schema = arrow_schema(name)
    rows = [row for job, _ in jobs for row in job.rows[name]]
    owner = pa.array([number for number, (job, _) in enumerate(jobs) for _ in job.rows[name]], pa.int64())
    of_all_jobs: dict[str, pa.Array] = {"job_id": ids, "created_month": month, "fetched_at": fetched}
    cells: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(schema)
    columns = []
    for column, values in zip(next(t for t in TABLES if t.name == name).columns, cells, strict=True):
        if column.name in of_all_jobs and not column.source:
            columns.append(of_all_jobs[column.name].take(owner))
        elif column.kind is Kind.TIME:
            columns.append(pa.array(values, pa.int64()).cast(pa.timestamp("us", tz="UTC")))
        else:
            columns.append(pa.array(values, schema.field(column.name).type))
    return pa.Table.from_arrays(columns, schema=schema)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
