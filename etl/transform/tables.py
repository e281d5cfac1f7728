"""Documents to tables: those that fit on the fast path, all others on the tolerant one; both give the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from etl.jsontext import NotJsonError, decode_noting, is_unpaired
from etl.transform.collector import collector_paused
from etl.transform.fast import FastPath, fast_path
from etl.transform.gather import Gathering
from etl.transform.redact import redact
from etl.transform.rows import job_rows
from etl.transform.scalars import Scalars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from etl.model import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
    with collector_paused():
        return _transform(list(documents), exposed, fast_path(exposed))


def transform_tolerantly(documents: Iterable[Document], exposed: frozenset[str] = frozenset()) -> Transformed:
    """Return what `transform` returns, by the tolerant path alone: what the fast path is held to."""
    return _transform(list(documents), exposed, None)


def _transform(documents: Sequence[Document], exposed: frozenset[str], fast: FastPath | None) -> Transformed:
    scalars, fits = (Scalars([]), [None] * len(documents)) if fast is None else fast.read_all(documents)
    gathering = Gathering(scalars)
    refused: list[Refused] = []
    refused_fields: set[str] = set()
    fetched: list[int] = []
    redacted = masked = 0
    for position, (document, fit) in enumerate(zip(documents, fits, strict=True)):
        if fit is not None:
            gathering.add_fast(fit.number, fit.pieces.id, fit.became)
            redacted += fit.became.configuration.redacted
            masked += fit.became.masked
            refused_fields |= fit.became.configuration.refused
        else:
            try:
                value, repeated = decode_noting(document.raw)
                reason = _why_no_job(value, document.id)
            except NotJsonError as error:
                reason = str(error)
            if reason is not None:
                refused.append(Refused(position=position, reason=reason))
                continue
            clean = redact(value, exposed)
            job_id = document.id or value["id"]
            gathering.add_tolerant(job_id, job_rows(job_id, clean.document, repeated=repeated).rows)
            redacted += clean.redacted
            masked += clean.masked
            refused_fields |= clean.refused
        fetched.append((document.fetched_at - _EPOCH) // _MICROSECOND)
    return Transformed(
        tables=gathering.tables(fetched),
        refused=tuple(refused),
        redacted=redacted,
        masked=masked,
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
